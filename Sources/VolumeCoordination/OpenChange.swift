import ClusterTypes

/// A change that a participant has begun and not ended.
struct OpenChange: Equatable, Sendable {
  enum Step: Equatable, Sendable {
    case prepare
    case suspend
    case resume
    case abandon
    case isolate
    case recover
  }

  /// What to do instead of the next step, once a job that runs has ended.
  enum Turn: Equatable, Sendable {
    case none
    case abandon
    case recover
  }

  enum State: Equatable, Sendable {
    case running(Step, then: Turn)
    /// These wait for the coordinator's next word.
    case prepared
    case suspended
    case refused(reason: String)
    /// `resume`, `abandon`, `isolate` or `recover` failed and will be tried again.
    case retrying(Step, at: Timestamp, reason: String)
  }

  /// Nil when the daemon found leftovers of an earlier life, or when who asked for a reload died: then
  /// only `recover` is ever run.
  let change: VolumeChange?
  let volumeGroup: String
  let volumeGroupID: String
  var state: State
  /// When the job began that suspends the devices: `suspend`, or else `resume`.
  var suspendedAt: Timestamp?
  /// When `resume` was asked for first.
  var resumedAt: Timestamp?
  /// Why `resume` failed last.
  var failure: String?

  init(_ change: VolumeChange) {
    self.change = change
    volumeGroup = change.volumeGroup
    volumeGroupID = change.volumeGroupID
    state = .running(.prepare, then: .none)
  }

  /// A recovery that settles no change known to this participant.
  init(recoveryOf volumeGroup: String, id volumeGroupID: String) {
    change = nil
    self.volumeGroup = volumeGroup
    self.volumeGroupID = volumeGroupID
    state = .running(.recover, then: .none)
  }

  var name: String {
    change.map(\.description) ?? "recovery of \(volumeGroup) from the disk"
  }

  /// For "… is open: it is suspended".
  var stateText: String {
    switch state {
    case .running(.prepare, _): "preparing"
    case .running(.suspend, _): "suspending"
    case .running(.resume, _): "resuming"
    case .running(.abandon, _): "going back"
    case .running(.isolate, _): "letting its volumes fail I/O"
    case .running(.recover, _): "recovering from the disk"
    case .prepared: "prepared"
    case .suspended: "suspended"
    case .refused: "refused, waiting to be abandoned"
    case .retrying(let step, _, let reason): "\(step) failed and is tried again: \(reason)"
    }
  }

  /// Milliseconds from the beginning of the suspend job until `now`; 0 if there was none.
  func suspendedMilliseconds(at now: Timestamp) -> UInt64 {
    suspendedAt.map { (now - $0).wholeMilliseconds } ?? 0
  }
}
