import AdminProtocol
import ClusterDaemon
import LVMMetadata
import Testing

/// The shared volume group vg1 on the one disk that the daemons of a `TestCluster` see.
enum SharedGroup {
  /// Volumes of four extents, one behind the other.
  static func make(volumes: [String]) throws -> VolumeGroup {
    var generator = SystemRandomNumberGenerator()
    var group = VolumeGroup(name: "vg1", id: LVMIdentifier(using: &generator))
    group.lockType = "dlm"
    group.lockArguments = "1.0.0:loopback"
    let disk = PhysicalVolume(
      label: "pv0", id: LVMIdentifier(using: &generator), extentStartSectors: 2048, extentCount: 20)
    group.physicalVolumes.append(disk)
    for (index, name) in volumes.enumerated() {
      var volume = LogicalVolume(name: name, id: LVMIdentifier(using: &generator))
      let area = SegmentArea.physicalVolume(disk.id, firstExtent: 4 * index)
      volume.segments = [
        Segment(startExtent: 0, extentCount: 4, kind: .striped(StripedLayout(areas: [area])))
      ]
      group.logicalVolumes.append(volume)
    }
    return group
  }

  static func start(_ group: VolumeGroup, on node: LoopbackNode) async throws {
    let command = try await LockDaemonCommand(on: node)
    try await eventually("the group starts on node \(node.node)") {
      let result = try await command.ask(
        "start_vg",
        [
          "vg_name": "vg1", "vg_lock_type": "dlm", "vg_lock_args": "1.0.0:loopback",
          "vg_uuid": group.id.dashed,
        ])
      return [0, -17].contains(result)
    }
    #expect(try await command.ask("start_wait") == 0)
    try await command.close()
  }

  /// The final reply.
  static func activate(
    _ action: VolumeActivationRequest.Action, _ volumes: [String] = [],
    on nodes: VolumeActivationRequest.Nodes = .all, asking node: LoopbackNode
  ) async throws -> AdminReply {
    let client = try await SocketClient.connect(to: node.adminSocket)
    try await client.send(
      AdminRequest.activation(
        VolumeActivationRequest(
          command: "lvchange", action: action, volumeGroup: "vg1", logicalVolumes: volumes,
          nodes: nodes)
      ).encode())
    while true {
      let reply = try await client.nextReply()
      if reply.isFinal {
        try? await client.close()
        return reply
      }
    }
  }
}
