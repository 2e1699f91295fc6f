import ByteCoding

/// The one answer to a request, with what each node had to say (clvmd-socket spec, section 4).
public struct ClusterLockingReply: Equatable, Sendable {
  public struct Entry: Equatable, Sendable {
    public var node: String
    public var status: Int32
    public var text: String

    public init(node: String, status: Int32 = 0, text: String = "") {
      self.node = node
      self.status = status
      self.text = text
    }
  }

  static let textLengthMax = 4_096

  /// Not zero when nothing was distributed.
  public var status: ClusterLockingStatus
  public var entries: [Entry]

  public init(_ status: ClusterLockingStatus) {
    self.status = status
    entries = []
  }

  public init(_ entries: [Entry]) {
    status = .success
    self.entries = entries
  }

  /// Integers are in the host's order: the socket never leaves the machine.
  public var encoded: [UInt8] {
    var body = ByteWriter()
    for entry in entries {
      Self.write(entry.node, into: &body)
      body.write(entry.status)
      Self.write(entry.text, into: &body)
    }
    let hasErrors = entries.contains { $0.status != 0 }
    var writer = ByteWriter(reservingCapacity: 18 + body.bytes.count)
    writer.write(ClusterLockingRequest.Code.reply.rawValue)
    writer.write(hasErrors ? ClusterLockingRequest.HeaderFlags.nodeErrors.rawValue : 0)
    writer.writeZeros(6)
    writer.write(status.rawValue)
    writer.write(UInt32(body.bytes.count))
    writer.write(UInt8(0))
    writer.write(body.bytes)
    writer.write(UInt8(0))
    return writer.bytes
  }

  /// A NUL within a text would end it early and shift what follows.
  private static func write(_ text: String, into writer: inout ByteWriter) {
    writer.write(text.utf8.prefix(textLengthMax).filter { $0 != 0 })
    writer.write(UInt8(0))
  }
}
