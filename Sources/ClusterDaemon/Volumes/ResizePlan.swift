import AdminProtocol
import BlockDevices
import DeviceMapper
import Glibc
import LVMMetadata
import VolumeActivation
import VolumeCommands
import VolumeCoordination

/// A resize that was decided and not begun.
struct ResizePlan: Sendable {
  let volumeGroup: String
  let volumeGroupID: String
  let logicalVolume: String
  let oldSeqno: UInt32
  let kind: VolumeChange.Kind
  /// The new metadata.
  let text: MetadataText
  let extentSizeBytes: UInt64
  let oldExtentCount: Int
  let newExtentCount: Int
  /// What LVM would print on the way, but for the new size, which the outcome tells.
  let notes: [String]

  /// What the client is told; `result` nil when nothing was carried out.
  func outcome(_ result: ChangeResult?) -> ResizeOutcome {
    let suspensions = (result?.suspendedMilliseconds ?? [:]).map { instance, milliseconds in
      ResizeOutcome.Suspension(node: instance.node, milliseconds: milliseconds)
    }
    return ResizeOutcome(
      volumeGroup: volumeGroup, logicalVolume: logicalVolume,
      oldSizeBytes: UInt64(oldExtentCount) * extentSizeBytes,
      newSizeBytes: UInt64(newExtentCount) * extentSizeBytes,
      oldExtents: UInt64(oldExtentCount), newExtents: UInt64(newExtentCount),
      suspensions: suspensions.sorted { $0.node < $1.node }, warnings: result?.warnings ?? [])
  }
}

extension VolumeWorkers {
  /// Reads the volume group, under its lock, and decides which extents the volume gets or loses.
  func planResize(_ request: AdminProtocol.ResizeRequest) throws -> ResizePlan {
    guard request.devices.isEmpty else {
      throw AdminFailure(
        .refused, "--devices is not for a volume group that the daemon has started.")
    }
    guard let group = try disks.group(named: request.volumeGroup) else {
      throw AdminFailure(.notFound, "Volume group \"\(request.volumeGroup)\" not found")
    }
    try group.volumeGroup.checkNativeResize()
    let old = try extentCount(request, in: group.volumeGroup)
    var edit = try resized(group, request)
    guard edit.wipes.isEmpty, edit.copies.isEmpty else {
      throw AdminFailure(
        .refused,
        "Resizing \(request.volumeGroup)/\(request.logicalVolume) would write to its volumes, which "
          + "this daemon does not do. Use LVM's own lvresize.")
    }
    edit.group.seqno += 1
    let isExtension = request.command == .extend
    return ResizePlan(
      volumeGroup: group.volumeGroup.name, volumeGroupID: group.volumeGroup.id.dashed,
      logicalVolume: request.logicalVolume, oldSeqno: group.volumeGroup.seqno,
      kind: isExtension ? .grow : .shrink,
      text: MetadataText(volumeGroup: edit.group, provenance: provenance(of: request)),
      extentSizeBytes: group.volumeGroup.extentSizeSectors * 512,
      oldExtentCount: old, newExtentCount: try extentCount(request, in: edit.group),
      notes: edit.messages.map(\.text).filter {
        !$0.hasPrefix("Size of logical volume") && !$0.hasSuffix("successfully resized.")
      })
  }

  private func extentCount(
    _ request: AdminProtocol.ResizeRequest, in group: VolumeGroup
  ) throws -> Int {
    guard let volume = group.logicalVolume(named: request.logicalVolume) else {
      throw AdminFailure(
        .notFound,
        "Failed to find logical volume \"\(group.name)/\(request.logicalVolume)\"")
    }
    return volume.extentCount
  }

  private func resized(
    _ group: ScannedVolumeGroup, _ request: AdminProtocol.ResizeRequest
  ) throws -> GroupEdit {
    let names = Dictionary(
      group.members.compactMap { member in
        member.scanned.map { (member.id, $0.device.name) }
      }, uniquingKeysWith: { first, _ in first })
    var generator = SystemRandomNumberGenerator()
    var edit = GroupEdit(
      group.volumeGroup,
      context: CommandContext(
        settings: CommandSettings(), hostName: disks.hostName, now: now,
        makeIdentifier: { LVMIdentifier(using: &generator) },
        physicalVolume: { path in names.first { $0.value == path }?.key },
        deviceName: { names[$0] ?? "[unknown]" }))
    var resize = VolumeCommands.ResizeRequest(
      request.command == .extend ? .extend : .reduce, volume: request.logicalVolume,
      size: request.size)
    resize.stripeCount = request.stripes.map(Int.init)
    resize.stripeSectors = request.stripeSizeSectors.map(UInt64.init)
    resize.allocation = try policy(request.allocation)
    do {
      if !request.physicalVolumes.isEmpty {
        resize.physicalVolumes = try request.physicalVolumes.map {
          try PhysicalVolumeArgument(parsing: $0)
        }
      }
      try edit.resize(resize)
      return edit
    } catch let refusal as VolumeGroupRefusal {
      throw AdminFailure(.refused, refusal.message)
    }
  }

  private func policy(_ name: String?) throws(AdminFailure) -> AllocationChoice? {
    guard let name else { return nil }
    if name == "inherit" { return .inherit }
    guard let policy = AllocationPolicy(rawValue: name) else {
      throw AdminFailure(.invalidRequest, "Allocation policy \"\(name)\" is not known.")
    }
    return .policy(policy)
  }

  /// Seconds since 1970.
  private var now: UInt64 {
    var now = timespec()
    return clock_gettime(CLOCK_REALTIME, &now) == 0 ? UInt64(clamping: now.tv_sec) : 0
  }

  private func provenance(of request: AdminProtocol.ResizeRequest) -> MetadataProvenance {
    MetadataProvenance(
      generator: "clvmd",
      description: "Write from clvm \(request.command.rawValue) "
        + "\(request.volumeGroup)/\(request.logicalVolume).",
      creationHost: disks.hostName, creationTime: now)
  }
}

extension VolumeGroup {
  /// Throws unless the group is one that a cluster shares: all others are not ours to change.
  func checkNativeResize() throws(AdminFailure) {
    switch accessClass(hostSystemID: nil) {
    case .shared: break
    case .exported: throw AdminFailure(.refused, "Volume group \(name) is exported")
    case .foreign(let systemID):
      throw AdminFailure(.refused, "Cannot access VG \(name) with system ID \(systemID).")
    case .clustered:
      throw AdminFailure(
        .refused,
        "Volume group \(name) carries LVM 2.02's mark for clusters; give it lock type dlm.")
    case .local:
      throw AdminFailure(
        .refused, "Volume group \(name) is not shared: use LVM's own lvextend.")
    }
  }
}
