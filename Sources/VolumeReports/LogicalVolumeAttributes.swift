import LVMMetadata

/// The ten characters of `lv_attr`, in the order of lvs(8).
struct LogicalVolumeAttributes {
  private let volume: LogicalVolume
  private let facts: GroupFacts
  private let state: ShownState

  init(_ volume: LogicalVolume, _ facts: GroupFacts, _ state: ShownState) {
    self.volume = volume
    self.facts = facts
    self.state = state
  }

  var text: String {
    kind + permission + allocation + (volume.status.contains(.fixedMinor) ? "m" : "-")
      + deviceState + target + zero + health
      + (volume.flags.contains(.activationSkip) ? "k" : "-")
  }

  /// What the volume is for another one, or else what it is by itself.
  private var kind: String {
    if volume.status.contains(.pvmove) { return "p" }
    if !facts.isVisible(volume), let part = partKind { return part }
    if let snapshot = facts.snapshots[volume.name] { return snapshot.isMerging ? "S" : "s" }
    if facts.isSnapshotOrigin(volume) { return isMergedInto ? "O" : "o" }
    if isCacheVolume { return "C" }
    let isUnsynced = volume.status.contains(.notSynced)
    switch volume.baseType {
    case "mirror": return isUnsynced ? "M" : "m"
    case "thin": return "V"
    case "thin-pool": return "t"
    case "vdo-pool": return "d"
    case "cache", "cache-pool", "writecache": return "C"
    case "striped", "linear": return facts.isExternalOrigin(volume) ? "o" : "-"
    case let type where type.hasPrefix("raid"): return isUnsynced ? "R" : "r"
    case "integrity": return "g"
    default: return "v"
    }
  }

  /// A part of a larger volume is known by its reserved name (lvm2-metadata 8.2).
  private var partKind: String? {
    let name = volume.name
    if name.contains("_rimage_") || name.contains("_mimage_") {
      if volume.baseType == "integrity" { return "g" }
      return isInSync ? "i" : "I"
    }
    if volume.baseType.hasPrefix("raid"), !name.hasSuffix("_tmeta") { return nil }
    let kinds = [
      ("_rmeta_", "e"), ("_tmeta", "e"), ("_cmeta", "e"), ("_imeta", "e"), ("_pmspare", "e"),
      ("_mlog", "l"), ("_tdata", "T"), ("_cdata", "C"), ("_vdata", "D"), ("_corig", "o"),
      ("_wcorig", "o"), ("_iorig", "-"),
    ]
    return kinds.first { name.contains($0.0) }?.1
  }

  private var isCacheVolume: Bool {
    volume.status.contains(.cacheVolume) || volume.flags.contains(.cacheVolume)
  }

  /// An image counts as in sync while the volume it belongs to runs. Without a device nobody can
  /// tell, and LVM says no.
  private var isInSync: Bool { state != .inactive }

  private var isMergedInto: Bool {
    facts.snapshots.values.contains { $0.isMerging && $0.origin == volume.name }
  }

  private var permission: String {
    if volume.status.contains(.pvmove) { return "-" }
    return volume.isWritable ? "w" : "r"
  }

  private var allocation: String {
    let letter = volume.allocationPolicy?.letter ?? "i"
    return volume.status.contains(.locked) ? letter.uppercased() : letter
  }

  /// State and open count of the device.
  private var deviceState: String {
    switch state {
    case .unknown: return "XX"
    case .inactive: return "--"
    case .present(let device):
      let letter: String
      if device.isSuspended {
        letter = "s"
      } else if device.hasLiveTable {
        letter = "a"
      } else {
        letter = device.hasInactiveTable ? "i" : "d"
      }
      return letter + (device.isOpen ? "o" : "-")
    }
  }

  /// The kind of target that serves the volume.
  private var target: String {
    let name = volume.name
    if !volume.isVisible {
      if name.contains("_rimage_") || name.contains("_rmeta_") { return "r" }
      if name.contains("_mimage_") || name.contains("_mlog") { return "m" }
      if name.hasSuffix("_corig") || name.hasSuffix("_wcorig") { return "C" }
    }
    if isCacheVolume { return "C" }
    switch volume.baseType {
    case "mirror": return "m"
    case "thin", "thin-pool": return "t"
    case "cache", "cache-pool", "writecache": return "C"
    case let type where type.hasPrefix("raid"): return "r"
    case "striped", "linear":
      return facts.snapshots[name] != nil || facts.isSnapshotOrigin(volume) ? "s" : "-"
    case "error", "zero", "vdo": return "v"
    case "vdo-pool", "integrity": return "-"
    default: return "u"
    }
  }

  /// Whether the pool clears blocks before it hands them out.
  private var zero: String {
    let pool: LogicalVolume?
    switch volume.baseType {
    case "thin-pool": pool = volume
    case "thin": pool = facts.poolName(volume).flatMap { facts.logicalVolumes[$0] }
    default: pool = nil
    }
    return pool?.segments.first?.number("zero_new_blocks") == 1 ? "z" : "-"
  }

  private var health: String {
    if facts.partial.contains(volume.name) { return "p" }
    return volume.status.contains(.writeMostly) ? "w" : "-"
  }
}
