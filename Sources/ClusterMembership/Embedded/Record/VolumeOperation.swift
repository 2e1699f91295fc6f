import ClusterTypes

/// A running change of a volume, as far as it must survive its coordinator (membership design,
/// section 16). What the disk's metadata says is the only truth about mappings.
public struct VolumeOperation: Hashable, Sendable {
  /// How the old and the new table go together.
  public enum Class: UInt8, Hashable, Sendable {
    /// They never contradict each other: extend, refresh, rename, activation.
    case regrow = 1
    /// A node must not run the old one once the metadata is committed: move, convert, shrink.
    case remap
    /// One participant.
    case exclusive
  }

  public enum Step: UInt8, Hashable, Comparable, Sendable {
    case prepare = 1
    case suspend, committing, committed, abort

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// Whether a coordinator may ask for `next`. What is committed is never aborted, and what is
    /// aborted never committed.
    func mayBecome(_ next: Step) -> Bool {
      switch (self, next) {
      case (.prepare, .suspend), (.suspend, .committing), (.committing, .committed): true
      case (.prepare, .abort), (.suspend, .abort), (.committing, .abort): true
      default: false
      }
    }
  }

  /// Who asked for it, with the request's number: unique.
  public struct ID: Hashable, Sendable {
    public var slot: NodeSlot
    public var incarnation: Incarnation
    public var life: UInt32
    public var sequence: UInt64
  }

  public static let maximumNote = 128
  public static let uuidLength = 32

  public var id: ID
  public var `class`: Class
  /// LVM's ids without dashes, 32 bytes each.
  public var volumeGroup: String
  public var volume: String
  public var oldSequence: UInt32
  public var newSequence: UInt32
  public var step: Step
  public var coordinator: NodeSlot
  public var coordinatorIncarnation: Incarnation
  public var participants: NodeSet
  /// Who has carried out the present step.
  public var acknowledged: NodeSet
  public var failed: NodeSet
  /// The digest of the metadata that participants must find, and more for them.
  public var note: [UInt8]

  /// What a participant does by itself when the view changes, its lease ends, or the step took too
  /// long.
  public enum Fallback: Hashable, Sendable {
    /// Clear the inactive table, run the old one, and refuse later steps.
    case resumeOld
    /// Only the disk can say which table is right.
    case staySuspended
    /// The new table is committed.
    case resumeNew
    case nothing
  }

  public var fallback: Fallback {
    switch (step, self.class) {
    case (.prepare, _), (.suspend, _), (.abort, _), (.committing, .regrow): .resumeOld
    case (.committing, .remap), (.committing, .exclusive): .staySuspended
    case (.committed, _): .resumeNew
    }
  }

  /// Nothing is left to do for anybody.
  var isOver: Bool {
    (step == .committed || step == .abort)
      && participants.subtracting(acknowledged.union(failed)).isEmpty
  }
}
