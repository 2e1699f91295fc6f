import ClusterTypes
import LVMMetadata
import VolumeActivation
import VolumeJobs

/// One shared disk as one life of a node's daemon sees it.
final class SimulatedDisk: MetadataDevice {
  private let device: MemoryDevice
  private let index: Int
  private let node: SimulatedNode
  private let life: Int
  private unowned let world: VolumeWorld
  /// What a report may do.
  private let isReadOnly: Bool

  init(
    _ device: MemoryDevice, _ index: Int, _ node: SimulatedNode, _ world: VolumeWorld,
    isReadOnly: Bool
  ) {
    self.device = device
    self.index = index
    self.node = node
    self.world = world
    self.isReadOnly = isReadOnly
    life = node.life
  }

  var name: String { device.name }
  var sizeBytes: UInt64 { device.sizeBytes }
  var logicalSectorSize: Int { device.logicalSectorSize }

  private func check(_ operation: MetadataDeviceError.Operation) throws(MetadataDeviceError) {
    guard node.isRunning, node.life == life else { throw failure(operation, "crashed") }
    guard !node.lostDisks.contains(index) else { throw failure(operation, "No such device") }
  }

  private func failure(
    _ operation: MetadataDeviceError.Operation, _ reason: String
  ) -> MetadataDeviceError {
    MetadataDeviceError(device: name, operation: operation, reason: reason)
  }

  func read(at offset: UInt64, count: Int) throws(MetadataDeviceError) -> [UInt8] {
    try check(.read)
    return try device.read(at: offset, count: count)
  }

  func write(_ bytes: [UInt8], at offset: UInt64) throws(MetadataDeviceError) {
    try check(.write)
    if isReadOnly { world.violate(.reportWrites, "node \(node.id) writes for a report") }
    world.writes(node)
    let effect = world.begin("write \(name) \(offset) (\(bytes.count) bytes)", on: node)
    guard node.life == life, node.isRunning else {
      throw failure(.write, "crashed")
    }
    if node.failsNextWrite {
      node.failsNextWrite = false
      world.hit(.writeFailed)
      throw failure(.write, "Input/output error")
    }
    if world.isCut(effect, node) {
      // Power or daemon go while the write is under way: its beginning is there, its end is not.
      device.store(Array(bytes.prefix(bytes.count > 512 ? 512 : 60)), at: offset)
      if bytes.count <= 512 { world.tornHeader() } else { world.hit(.tornText) }
      world.end(effect, on: node)
      throw failure(.write, "crashed")
    }
    try device.write(bytes, at: offset)
    world.written()
    world.end(effect, on: node)
    guard node.life == life, node.isRunning else { throw failure(.write, "crashed") }
  }

  func flush() throws(MetadataDeviceError) {
    try check(.flush)
    try device.flush()
  }
}

/// The disks of a node, for its jobs and for its reports.
struct SimulatedDisks: VolumeGroupDisks {
  let node: SimulatedNode
  unowned let world: VolumeWorld
  var isReadOnly = false

  var localNode: NodeID { node.id }

  private var visible: [any MetadataDevice] {
    world.disks.indices.filter { !node.lostDisks.contains($0) }.map {
      SimulatedDisk(world.disks[$0], $0, node, world, isReadOnly: isReadOnly)
    }
  }

  func group(
    id: String, slot: MetadataScanner.Slot, isWritable: Bool
  ) throws -> ScannedVolumeGroup {
    let slot = world.slot(for: slot, node)
    let scan = MetadataScanner.scan(visible, slot: slot, texts: &world.texts)
    guard var group = scan.groups.first else {
      throw VolumeJobError("the volume group is not on any disk that this node sees")
    }
    if world.mutation == .dropsMissing { group.obstacles = [] }
    return group
  }

  func planner(for group: ScannedVolumeGroup) -> ActivationPlanner {
    var devices: [LVMIdentifier: PhysicalVolumeDevice] = [:]
    for member in group.members {
      guard case .present(let scanned) = member.state else { continue }
      devices[member.id] = world.device(named: scanned.device.name)
    }
    return ActivationPlanner(group.volumeGroup, devices: devices)
  }
}
