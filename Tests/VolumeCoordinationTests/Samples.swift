import ClusterTypes

@testable import VolumeCoordination

/// Node instances and changes that the tests talk about.
enum Samples {
  static let volumeGroupID = String(repeating: "v", count: 32)

  static func instance(_ number: Int32, life: UInt64 = 1) -> NodeInstance {
    guard let node = NodeID(number) else { preconditionFailure("node ids begin at 1") }
    return NodeInstance(node, Incarnation(life))
  }

  static func change(
    _ number: UInt64 = 1, by origin: NodeInstance = instance(1),
    kind: VolumeChange.Kind = .convert, logicalVolumes: [String] = ["home"]
  ) throws -> VolumeChange {
    try VolumeChange(
      id: VolumeRequestID(origin: origin, number: number), volumeGroup: "vg0",
      volumeGroupID: volumeGroupID, logicalVolumes: logicalVolumes, oldSeqno: 7,
      newSeqno: kind.changesMetadata ? 8 : 7, kind: kind)
  }

  static func at(_ milliseconds: UInt64) -> Timestamp { Timestamp(milliseconds: milliseconds) }
}
