import ByteCoding
import ClusterTypes

/// One record of `/dev/dlm_plock`: a process called fcntl(2) on a cluster filesystem
/// (kernel-dlm-control 16). Little-endian, 64 bytes in both directions.
public struct PosixLockRecord: Equatable, Sendable {
  public static let byteCount = 64
  private static let majorVersion: UInt32 = 1
  private static let closeFlag: UInt8 = 1

  /// The number of the lockspace in the kernel.
  public let lockspace: UInt32
  public let request: PosixLockRequest

  public init(lockspace: UInt32, request: PosixLockRequest) {
    self.lockspace = lockspace
    self.request = request
  }

  /// Throws unless `bytes` is one whole record of a version that is understood (1.x). An operation
  /// that is not known is none of the errors: its process waits for an answer.
  public init(_ bytes: some Collection<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(Array(bytes))
    let version: UInt32 = try reader.read()
    guard version == Self.majorVersion else { throw .invalid("version \(version) of a POSIX lock") }
    try reader.skip(8)
    let operation = PosixLockRequest.Operation(rawValue: try reader.read()) ?? .unsupported
    let isExclusive = try reader.read(UInt8.self) != 0
    let waits = try reader.read(UInt8.self) != 0
    let flags: UInt8 = try reader.read()
    let processID: UInt32 = try reader.read()
    try reader.skip(8)
    lockspace = try reader.read()
    let inode: UInt64 = try reader.read()
    let start: UInt64 = try reader.read()
    let end: UInt64 = try reader.read()
    let owner: UInt64 = try reader.read()
    try reader.expectEnd()
    request = PosixLockRequest(
      operation, inode: inode, start: start, end: end, owner: owner, isExclusive: isExclusive,
      waits: waits, isClose: flags & Self.closeFlag != 0, processID: processID)
  }

  /// The record with its result. By its fields the kernel finds who waits for it; those of a lock that
  /// is in the way take their place.
  public func answered(_ result: PosixLockResult) -> [UInt8] {
    var held: HeldPosixLock?
    let code: Int32
    switch result {
    case .success: code = 0
    case .failure(let failure): code = -failure.rawValue
    case .conflict(let lock):
      code = 1
      held = lock
    }
    return encoded(held, code)
  }

  /// As the kernel writes it.
  public var encoded: [UInt8] { encoded(nil, 0) }

  private func encoded(_ held: HeldPosixLock?, _ code: Int32) -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: Self.byteCount)
    // The oldest minor version: a kernel takes no answer of a newer one than its own.
    writer.write(Self.majorVersion)
    writer.writeZeros(8)
    writer.write(request.operation.rawValue)
    writer.write(UInt8(held?.isExclusive ?? request.isExclusive ? 1 : 0))
    writer.write(UInt8(request.waits ? 1 : 0))
    writer.write(request.isClose ? Self.closeFlag : 0)
    writer.write(held?.processID ?? request.processID)
    writer.write(held?.holder.node.node.rawValue ?? 0)
    writer.write(code)
    writer.write(lockspace)
    writer.write(request.inode)
    writer.write(held?.start ?? request.start)
    writer.write(held?.end ?? request.end)
    writer.write(request.owner)
    return writer.bytes
  }
}
