import AdminProtocol
import BlockDevices
import DeviceMapper
import Glibc
import LVMMetadata
import VolumeActivation
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
    let result = try resized(group, request)
    let isExtension = request.command == .extend
    return ResizePlan(
      volumeGroup: group.volumeGroup.name, volumeGroupID: group.volumeGroup.id.dashed,
      logicalVolume: request.logicalVolume, oldSeqno: group.volumeGroup.seqno,
      kind: isExtension ? .grow : .shrink,
      text: MetadataText(volumeGroup: result.volumeGroup, provenance: provenance(of: request)),
      extentSizeBytes: group.volumeGroup.extentSizeSectors * 512,
      oldExtentCount: result.oldExtentCount, newExtentCount: result.newExtentCount,
      notes: result.messages.filter { !$0.hasPrefix("Size of logical volume") })
  }

  private func resized(
    _ group: ScannedVolumeGroup, _ request: AdminProtocol.ResizeRequest
  ) throws -> ResizeResult {
    let size = size(request.size)
    do {
      switch request.command {
      case .reduce:
        return try group.volumeGroup.reducingLogicalVolume(
          named: request.logicalVolume, to: size)
      case .extend:
        return try group.volumeGroup.extendingLogicalVolume(
          named: request.logicalVolume,
          LVMMetadata.ResizeRequest(
            size: size, stripeCount: request.stripes.map(Int.init),
            stripeSizeSectors: request.stripeSizeSectors.map(UInt64.init),
            allocationPolicy: try policy(request.allocation),
            physicalVolumes: try choices(request.physicalVolumes, in: group)))
      }
    } catch let refusal as VolumeGroupRefusal {
      throw AdminFailure(.refused, refusal.message)
    }
  }

  private func size(_ size: AdminProtocol.SizeArgument) -> LVMMetadata.SizeArgument {
    let sign: LVMMetadata.SizeArgument.Sign =
      switch size.sign {
      case .absolute: .absolute
      case .plus: .increase
      case .minus: .decrease
      }
    let amount: LVMMetadata.SizeArgument.Amount =
      switch size.amount {
      case .sectors(let count): .sectors(count)
      case .extents(let count): .extents(Int(clamping: count))
      case .percent(let number, .volumeGroup): .percentage(Int(number), of: .volumeGroup)
      case .percent(let number, .free): .percentage(Int(number), of: .free)
      case .percent(let number, .physicalVolumes): .percentage(Int(number), of: .physicalVolumes)
      case .percent(let number, .logicalVolume): .percentage(Int(number), of: .logicalVolume)
      case .percent(let number, .origin): .percentage(Int(number), of: .origin)
      }
    return LVMMetadata.SizeArgument(sign: sign, amount: amount)
  }

  private func policy(_ name: String?) throws(AdminFailure) -> AllocationPolicy? {
    guard let name else { return nil }
    guard let policy = AllocationPolicy(rawValue: name) else {
      throw AdminFailure(.invalidRequest, "Allocation policy \"\(name)\" is not known.")
    }
    return policy
  }

  private func choices(
    _ arguments: [String], in group: ScannedVolumeGroup
  ) throws -> [PhysicalVolumeChoice]? {
    guard !arguments.isEmpty else { return nil }
    let parsed = try arguments.map { try PhysicalVolumeArgument(parsing: $0) }
    return try group.volumeGroup.physicalVolumeChoices(parsed) { path in
      group.members.first { $0.scanned?.device.name == path }?.id
    }
  }

  private func provenance(of request: AdminProtocol.ResizeRequest) -> MetadataProvenance {
    var now = timespec()
    let hasTime = clock_gettime(CLOCK_REALTIME, &now) == 0
    return MetadataProvenance(
      generator: "clvmd",
      description: "Write from clvm \(request.command.rawValue) "
        + "\(request.volumeGroup)/\(request.logicalVolume).",
      creationHost: disks.hostName,
      creationTime: hasTime ? UInt64(clamping: now.tv_sec) : 0)
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
