import ByteCoding

/// A path to a device that takes SCSI commands: the real one goes through the kernel, a test's follows
/// the rules of the standard in memory.
public protocol ReservationTarget: ~Copyable {
  /// What the path is called in messages.
  var name: String { get }

  mutating func perform(
    _ command: SCSICommand
  ) throws(ReservationError) -> (status: SCSIStatus, data: [UInt8])
}

/// Why a device is not reserved, or a node not kept from it.
public struct ReservationError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Kind: Hashable, Sendable {
    /// The device has no persistent reservations, or not what is needed of them.
    case unsupported
    /// This path's registration is gone: somebody else has evicted this node.
    case evicted
    /// The device holds a reservation that is not the cluster's.
    case foreign
    case failed
  }

  public var kind: Kind
  public var description: String

  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

extension ReservationTarget where Self: ~Copyable {
  /// Unit attentions that a path may have piled up: reset, keys preempted, reservation released.
  private static var attentionLimit: Int { 8 }

  /// Carries out a command; a unit attention says that it was not, and it is sent again.
  mutating func carryOut(_ command: ReservationCommand) throws(ReservationError) -> [UInt8] {
    for _ in 0..<Self.attentionLimit {
      let (status, data) = try perform(command.command)
      switch status {
      case .good: return data
      case .reservationConflict:
        throw ReservationError(
          .evicted, "\(name) refuses this node: its registration there is gone")
      case .checkCondition(let sense?) where sense.isUnitAttention: continue
      case .checkCondition(let sense?) where sense.isUnsupported:
        throw ReservationError(
          .unsupported,
          "\(name) has no persistent reservations as they are needed (\(sense.description))")
      case .checkCondition(let sense):
        throw ReservationError(
          .failed, "\(name): \(sense?.description ?? "a failure that it does not explain")")
      case .other(let byte):
        throw ReservationError(.failed, "\(name): SCSI status \(byte)")
      }
    }
    throw ReservationError(.failed, "\(name) answers with unit attentions only")
  }

  func decoding<Value>(
    _ body: () throws(ByteDecodingError) -> Value
  ) throws(ReservationError) -> Value {
    do {
      return try body()
    } catch {
      throw ReservationError(.failed, "\(name): its answer is not understood: \(error)")
    }
  }
}
