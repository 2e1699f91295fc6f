import ByteCoding
import ClusterTypes

/// The versions of the control protocol that a daemon speaks.
public struct ControlVersionRange: Hashable, Sendable, CustomStringConvertible {
  public var oldest: UInt16
  public var newest: UInt16

  public init(oldest: UInt16, newest: UInt16) {
    self.oldest = oldest
    self.newest = newest
  }

  /// The newest version that both speak; nil when there is none.
  public func newestCommon(with other: Self) -> UInt16? {
    let newest = min(newest, other.newest)
    return newest >= max(oldest, other.oldest) ? newest : nil
  }

  public var description: String {
    oldest == newest ? "version \(newest)" : "versions \(oldest) to \(newest)"
  }
}

/// How two daemons introduce themselves: the first frame each way on a control channel.
public struct Hello: Hashable, Sendable {
  public static let maximumClusterNameLength = 64
  public static let maximumBootIDLength = 64
  public static let maximumPayloadLength = 4096

  public var versions: ControlVersionRange
  public var clusterName: String
  public var node: NodeID
  public var incarnation: Incarnation
  /// Names one life of the machine's kernel.
  public var bootID: String
  /// For the layers above; at most 4 KiB.
  public var payload: [UInt8]

  /// Longer texts or payloads than allowed are a programmer's error: they come from this node's
  /// own configuration, which is checked when it is read.
  public init(
    versions: ControlVersionRange, clusterName: String, node: NodeID, incarnation: Incarnation,
    bootID: String, payload: [UInt8] = []
  ) {
    precondition(clusterName.utf8.count <= Self.maximumClusterNameLength, "cluster name too long")
    precondition(bootID.utf8.count <= Self.maximumBootIDLength, "boot id too long")
    precondition(payload.count <= Self.maximumPayloadLength, "payload too long")
    self.versions = versions
    self.clusterName = clusterName
    self.node = node
    self.incarnation = incarnation
    self.bootID = bootID
    self.payload = payload
  }
}

extension Hello {
  /// "clvm", so that a stranger's bytes are recognised as such.
  private static let magic = Array("clvm".utf8)
  /// No frame may be longer before the peer is known.
  static let maximumEncodedLength = 4 + 2 + 2 + 4 + 64 + 4 + 8 + 4 + 64 + 4 + 4096

  func encoded() -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: 128)
    writer.write(Self.magic)
    writer.write(versions.oldest)
    writer.write(versions.newest)
    writer.writeString(clusterName)
    writer.write(node.rawValue)
    writer.write(incarnation.rawValue)
    writer.writeString(bootID)
    writer.writeCounted(payload)
    return writer.bytes
  }

  init(decoding bytes: ArraySlice<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    guard Array(try reader.readBytes(Self.magic.count)) == Self.magic else {
      throw .invalid("not a clvmd control connection")
    }
    versions = ControlVersionRange(oldest: try reader.read(), newest: try reader.read())
    clusterName = try reader.readString(limit: Self.maximumClusterNameLength)
    let nodeNumber = try reader.read(Int32.self)
    guard let node = NodeID(nodeNumber) else { throw .invalid("node id \(nodeNumber)") }
    self.node = node
    incarnation = Incarnation(try reader.read())
    bootID = try reader.readString(limit: Self.maximumBootIDLength)
    payload = Array(try reader.readCounted(limit: Self.maximumPayloadLength))
    // What later versions append is for them.
  }
}
