import ConfigText
import LVMMetadata

/// The attributes that lvchange may change; nil leaves one as it is.
public struct VolumeAttributes: Sendable {
  public var addedTags: [String] = []
  public var removedTags: [String] = []
  public var isWritable: Bool?
  public var allocation: AllocationChoice?
  var readAhead: ReadAhead?
  public var skipsActivation: Bool?
  public var autoactivates: Bool?
  /// `-My --minor N`, or `-Mn` as nil inside.
  var minor: Int32??
  public var failsWhenFull: Bool?
  /// `-Z` and `--discards` of a thin pool.
  public var zeroesNewBlocks: Bool?
  public var discards: String?
  /// `--minrecoveryrate` and `--maxrecoveryrate` in KiB a second; 0 for none.
  var recoveryRates: (min: Int?, max: Int?) = (nil, nil)
  var profile: ProfileChange?
  /// The names of all options given: some are not for all LVs.
  var options: [String] = []
  public var cache = CacheChange()

  public init() {}

  /// LVM says nothing of a change of the minor number alone.
  var isMinorOnly: Bool {
    var others = self
    others.minor = nil
    return minor != nil && others.isEmpty
  }

  var isEmpty: Bool {
    addedTags.isEmpty && removedTags.isEmpty && isWritable == nil && allocation == nil
      && readAhead == nil && skipsActivation == nil && autoactivates == nil && minor == nil
      && failsWhenFull == nil && zeroesNewBlocks == nil && discards == nil && profile == nil
      && !hasRecoveryRate && cache.isEmpty
  }

  var hasRecoveryRate: Bool { recoveryRates.min != nil || recoveryRates.max != nil }
}

/// lvchange, but for activation.
extension GroupEdit {
  /// Changes an LV.
  ///
  /// - Parameter isNamed: false when it is meant with its whole group, or by a tag: then it is passed
  ///   over when the options are not for it.
  /// - Returns: false when it is passed over.
  @discardableResult
  public mutating func change(
    _ name: String, isNamed: Bool = true, _ attributes: VolumeAttributes
  ) throws(VolumeGroupRefusal) -> Bool {
    try group.checkChangeable()
    let path = "\(group.name)/\(name)"
    guard let volume = group.logicalVolume(named: name),
      volume.segments.first?.baseType != "snapshot"
    else { throw VolumeGroupRefusal("Failed to find logical volume \"\(path)\"") }
    let problems = optionProblems(attributes.options, of: volume)
    guard problems.isEmpty else {
      guard !isNamed else {
        throw VolumeGroupRefusal(
          messages: problems + ["Command not permitted on LV \(path)."])
      }
      for problem in problems { warn(problem) }
      return false
    }
    guard group.isUsers(volume) else {
      throw VolumeGroupRefusal("Operation not permitted on hidden LV \(path).")
    }
    var changed = volume
    try change(&changed, attributes)
    let needsReload =
      attributes.isWritable != nil || attributes.readAhead != nil || attributes.minor != nil
      || attributes.zeroesNewBlocks != nil || attributes.failsWhenFull != nil
      || attributes.hasRecoveryRate
    update(name) { $0 = changed }
    if !attributes.cache.isEmpty { try changeCache(name, attributes.cache) }
    if needsReload, context.isActive(volume.id), !reloads.contains(name) { reloads.append(name) }
    if !attributes.isMinorOnly { print("Logical volume \(path) changed.") }
    return true
  }

  private func change(
    _ volume: inout LogicalVolume, _ attributes: VolumeAttributes
  ) throws(VolumeGroupRefusal) {
    let path = "\(group.name)/\(volume.name)"
    for tag in attributes.addedTags where !volume.tags.contains(tag) { volume.tags.append(tag) }
    volume.tags.removeAll { attributes.removedTags.contains($0) }
    if let isWritable = attributes.isWritable { try setPermission(isWritable, of: &volume) }
    if let allocation = attributes.allocation {
      guard allocation.policy != volume.allocationPolicy else {
        throw VolumeGroupRefusal(
          "Allocation policy of logical volume \(path) is already "
            + "\(allocation.policy?.rawValue ?? "inherit").")
      }
      volume.allocationPolicy = allocation.policy
    }
    if let readAhead = attributes.readAhead {
      guard readAhead.sectors != volume.readAheadSectors else {
        let shown = readAhead.sectors.map { $0 == -1 ? "none" : "\($0)" } ?? "auto"
        throw VolumeGroupRefusal("Read ahead is already \(shown) for \(path).")
      }
      volume.readAheadSectors = readAhead.sectors
    }
    if let skips = attributes.skipsActivation { volume.flags.set(.activationSkip, skips) }
    if let autoactivates = attributes.autoactivates {
      volume.flags.set(.noAutoactivation, !autoactivates)
    }
    if let minor = attributes.minor {
      guard minor != nil || volume.status.contains(.fixedMinor) else {
        throw VolumeGroupRefusal("Minor number is already not persistent for \(path).")
      }
      volume.status.set(.fixedMinor, minor != nil)
      volume.major = minor == nil ? nil : Self.deviceMapperMajor
      volume.minor = minor
    }
    try changeRates(&volume, attributes)
    if let profile = attributes.profile { volume.profile = profile.name }
    try changePool(&volume, attributes)
  }

  private func changeRates(
    _ volume: inout LogicalVolume, _ attributes: VolumeAttributes
  ) throws(VolumeGroupRefusal) {
    guard attributes.hasRecoveryRate, var segment = volume.segments.first else {
      return
    }
    let least = attributes.recoveryRates.min ?? Int(segment.number("min_recovery_rate") ?? 0)
    let most = attributes.recoveryRates.max ?? Int(segment.number("max_recovery_rate") ?? 0)
    guard most == 0 || most >= least else {
      throw VolumeGroupRefusal("Minimum recovery rate cannot be higher than maximum.")
    }
    segment.edit { section in
      let images = section.entries.firstIndex { $0.name == "raids" || $0.name == "raid0_lvs" }
      var place = images ?? section.entries.endIndex
      for (key, rate) in [("min_recovery_rate", least), ("max_recovery_rate", most)] {
        if let old = section.entries.firstIndex(where: { $0.name == key }) {
          section.entries.remove(at: old)
          if old < place { place -= 1 }
        }
        guard rate > 0 else { continue }
        section.entries.insert(
          ConfigEntry(name: key, content: .value(.integer(Int64(rate)))), at: place)
        place += 1
      }
    }
    volume.segments[0] = segment
  }

  private func setPermission(
    _ isWritable: Bool, of volume: inout LogicalVolume
  ) throws(VolumeGroupRefusal) {
    let path = "\(group.name)/\(volume.name)"
    guard isWritable != volume.isWritable else {
      throw VolumeGroupRefusal(
        isWritable
          ? "Logical volume \(path) is already writable."
          : "Logical volume \"\(path)\" is already read only.")
    }
    let looksReadOnly = group.isShared || group.systemID != nil
    volume.status.set(.write, isWritable && !looksReadOnly)
    volume.flags.set(.writeLocked, isWritable && looksReadOnly)
  }

  private func changePool(
    _ volume: inout LogicalVolume, _ attributes: VolumeAttributes
  ) throws(VolumeGroupRefusal) {
    guard
      attributes.failsWhenFull != nil || attributes.zeroesNewBlocks != nil
        || attributes.discards != nil
    else { return }
    let path = "\(group.name)/\(volume.name)"
    if let fails = attributes.failsWhenFull {
      guard volume.flags.contains(.errorWhenFull) != fails else {
        throw VolumeGroupRefusal("Error when full is already \(fails ? "" : "un")set for \(path).")
      }
      volume.flags.set(.errorWhenFull, fails)
    }
    if let zeroes = attributes.zeroesNewBlocks {
      guard zeroes != (volume.segments[0].number("zero_new_blocks") ?? 0 != 0) else {
        throw VolumeGroupRefusal(
          "Logical volume \(path) already \(zeroes ? "" : "does not ")zero new blocks.")
      }
      volume.segments[0].edit { section in
        section.remove("zero_new_blocks")
        if zeroes { section.append("zero_new_blocks", number: 1) }
      }
    }
    if let discards = attributes.discards {
      let old = volume.segments[0].volumeName("discards") ?? "ignore"
      guard old != discards else {
        throw VolumeGroupRefusal("Logical volume \(path) already uses --discards \(discards).")
      }
      guard ![old, discards].contains("ignore") || !context.isActive(volume.id) else {
        throw VolumeGroupRefusal(
          "Cannot change support for discards while pool volume \(path) is active.")
      }
      volume.segments[0].edit { section in
        let zeroes = section.integer("zero_new_blocks")
        section.remove("discards")
        section.remove("zero_new_blocks")
        section.append("discards", text: discards)
        if let zeroes { section.append("zero_new_blocks", number: zeroes) }
      }
    }
  }
}

extension Segment {
  /// A number of a segment that is not striped.
  func number(_ key: String) -> Int64? {
    guard case .other(_, let section) = kind else { return nil }
    return section.integer(key)
  }
}

extension StatusWords {
  mutating func set(_ flag: Flag, _ isSet: Bool) {
    if isSet { insert(flag) } else { remove(flag) }
  }
}
