import LVMMetadata

/// lvextend, lvreduce and lvresize.
extension GroupEdit {
  /// Changes the LV's size, and says so.
  public mutating func resize(_ request: ResizeRequest) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let volume = try resizableVolume(request.volume)
    if request.poolMetadataSize != nil || request.type != nil || request.followsPolicy {
      // Names of PVs are looked at before what these ask of the LV.
      _ = try allocatableExtents(request.physicalVolumes)
    }
    if let type = request.type { try check(type, of: volume) }
    if request.followsPolicy { return try resizeByPolicy(volume) }
    if request.resizesFileSystem {
      // What is wrong with the size is told first.
      var trial = self
      var plain = request
      plain.resizesFileSystem = false
      try trial.resize(plain)
      throw fileSystemRefusal(volume)
    }
    var resized = request.volume
    if let size = request.poolMetadataSize {
      guard let metadata = volume.segments.first?.volumeName("metadata"),
        volume.segments.first?.baseType == "thin-pool"
      else {
        throw VolumeGroupRefusal("--poolmetadatasize can be used only with thin pools.")
      }
      try resize(metadata, size, request)
      if request.physicalVolumes == nil { enlargeSpare() }
      if request.size == nil { resized = metadata }
    }
    if request.poolMetadataSize == nil || request.size != nil {
      let implied =
        request.physicalVolumes == nil
        ? nil : SizeArgument(sign: .increase, amount: .percentage(100, of: .physicalVolumes))
      guard let size = request.size ?? implied else {
        throw VolumeGroupRefusal("Please specify either size or extents.")
      }
      var target = request.volume
      if volume.segments.first?.baseType == "thin-pool" {
        target = volume.segments.first?.volumeName("pool") ?? target
      }
      try resize(target, size, request)
    }
    if context.isActive(volume.id) { reloads.append(volume.name) }
    print("Logical volume \(group.name)/\(resized) successfully resized.")
  }

  private func check(_ type: String, of volume: LogicalVolume) throws(VolumeGroupRefusal) {
    let actual = volume.segments.first?.baseType ?? "striped"
    let asked = type == "linear" ? "striped" : type
    guard asked == (actual == "linear" ? "striped" : actual) else {
      throw VolumeGroupRefusal("VolumeType does not match (\(type)).")
    }
  }

  /// Only an active pool or snapshot tells how full it is.
  private mutating func resizeByPolicy(_ volume: LogicalVolume) throws(VolumeGroupRefusal) {
    let path = "\(group.name)/\(volume.name)"
    guard
      volume.segments.first?.baseType == "thin-pool"
        || group.snapshotBinding(ofStore: volume.name) != nil
    else {
      throw VolumeGroupRefusal(
        "Policy-based resize is supported only for snapshot, thin pool and vdo pool volumes.")
    }
    guard !context.isActive(volume.id) else {
      throw VolumeGroupRefusal(
        "clvm lvextend does not do --usepolicies: use LVM's own lvextend for \(path).")
    }
    isUnchanged = true
  }

  private func fileSystemRefusal(_ volume: LogicalVolume) -> VolumeGroupRefusal {
    let path = "\(group.name)/\(volume.name)"
    guard context.isActive(volume.id) else {
      return VolumeGroupRefusal(
        "Logical volume \(path) must be activated before resizing filesystem.")
    }
    return VolumeGroupRefusal(
      "clvm does not do --resizefs: resize \(path) without it, and the file system with its own "
        + "tools.")
  }

  /// The spare is as large as the largest metadata of a pool; that it cannot be so stops nothing.
  private mutating func enlargeSpare() {
    let counts = group.logicalVolumes.filter {
      ["thin-pool", "cache-pool"].contains($0.segments.first?.baseType ?? "")
    }.compactMap { $0.segments.first?.volumeName("metadata") }
      .compactMap { group.logicalVolume(named: $0)?.extentCount }
    do throws(VolumeGroupRefusal) {
      try provideSpare(extentCount: counts.max() ?? 0, nil)
    } catch {
      for message in error.messages { warn(message) }
    }
  }

  private func resizableVolume(_ name: String) throws(VolumeGroupRefusal) -> LogicalVolume {
    guard let volume = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal(
        "Logical volume \(name) not found in volume group \(group.name).")
    }
    let store = volume.segments.first.flatMap { segment in
      segment.baseType == "snapshot"
        ? segment.volumeName("cow_store") ?? segment.volumeName("merging_store") : nil
    }
    let path = "\(group.name)/\(store ?? name)"
    let isStore = group.snapshotBinding(ofStore: name) != nil
    guard volume.isVisible || isStore, volume.segments.first?.baseType != "snapshot" else {
      throw VolumeGroupRefusal("Can't resize internal logical volume \(path).")
    }
    guard !volume.status.contains(.locked), !volume.status.contains(.pvmove) else {
      throw VolumeGroupRefusal("Can't resize locked logical volume \(path).")
    }
    for segment in volume.segments {
      guard Self.resizableTypes.contains(segment.baseType) || segment.raidType != nil else {
        throw VolumeGroupRefusal(
          "Can't resize \(path) of type \(segment.baseType): use LVM's own lvresize.")
      }
      guard segment.reshapeCount == 0 else {
        throw VolumeGroupRefusal("Can't resize reshaping LV \(path).")
      }
      for image in segment.imageLayout?.images ?? [] {
        guard let image = group.logicalVolume(named: image),
          image.isLinearOrStriped, !image.status.contains(.locked)
        else {
          throw VolumeGroupRefusal(
            "Can't resize \(path): its image \(image) is not linear. Use LVM's own lvresize.")
        }
      }
    }
    return volume
  }

  private static let resizableTypes: Set<String> = [
    "striped", "mirror", "thin-pool", "thin", "error", "zero",
  ]

  /// Resizes one LV, visible or not.
  private mutating func resize(
    _ name: String, _ size: SizeArgument, _ request: ResizeRequest
  ) throws(VolumeGroupRefusal) {
    guard let volume = group.logicalVolume(named: name) else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(group.name)/\(name)\"")
    }
    switch (request.direction, size.sign) {
    case (.extend, .decrease):
      throw VolumeGroupRefusal("Negative argument not permitted - use lvreduce")
    case (.reduce, .increase):
      throw VolumeGroupRefusal("Positive sign not permitted - use lvextend")
    case (.extend, _), (.reduce, _), (.either, _): break
    }
    let extents = try allocatableExtents(request.physicalVolumes)
    var request = request
    if let stripe = request.stripeSectors, stripe > group.extentSizeSectors {
      print(
        "Reducing stripe size \(DisplayUnit.message(sectors: stripe)) to maximum, physical extent "
          + "size \(DisplayUnit.message(sectors: group.extentSizeSectors)).")
      request.stripeSectors = group.extentSizeSectors
    }
    let target = try resizeTarget(request, size, of: volume, extents)
    let existing = volume.extentCount
    if target.extentCount < existing, request.direction == .extend {
      throw VolumeGroupRefusal(
        "New size given (\(target.extentCount) extents) not larger than existing size "
          + "(\(existing) extents)")
    }
    if target.extentCount > existing, request.direction == .reduce {
      throw VolumeGroupRefusal(
        "New size given (\(target.extentCount) extents) not less than existing size "
          + "(\(existing) extents)")
    }
    guard target.extentCount != existing else {
      throw VolumeGroupRefusal(
        "New size (\(existing) extents) matches existing size (\(existing) extents)")
    }
    try checkKind(volume, isReduction: target.extentCount < existing)
    if target.extentCount < existing {
      if request.physicalVolumes != nil { print("Ignoring PVs on command line when reducing.") }
      try confirmReduction(of: volume, to: target, request)
      shorten(name, to: target.extentCount)
    } else {
      try extend(volume, to: target, request, extents)
      try checkSynchronisation(of: volume, request)
      if !request.isSynchronised, volume.segments.first?.imageLayout != nil {
        update(name) { $0.status.insert(.notSynced) }
      }
    }
    adjustUsers(of: name)
    let reached = group.logicalVolume(named: name)?.extentCount ?? 0
    let path = "\(group.name)/\(name)"
    if reached == existing {
      isUnchanged = true
      print(
        "Size of logical volume \(path) unchanged from \(self.size(extents: existing)) "
          + "(\(existing) extents).")
    } else {
      print(
        "Size of logical volume \(path) changed from \(self.size(extents: existing)) "
          + "(\(existing) extents) to \(self.size(extents: reached)) (\(reached) extents).")
    }
  }

  private func checkKind(
    _ volume: LogicalVolume, isReduction: Bool
  ) throws(VolumeGroupRefusal) {
    let path = "\(group.name)/\(volume.name)"
    if !group.snapshotBindings(ofOrigin: volume.name).isEmpty {
      guard !isReduction else {
        throw VolumeGroupRefusal("Snapshot origin volumes cannot be reduced in size yet.")
      }
      guard !context.isActive(volume.id) else {
        throw VolumeGroupRefusal(
          "Snapshot origin volumes can be resized only while inactive: try lvchange -an.")
      }
    }
    guard isReduction else { return }
    for pool in group.logicalVolumes where pool.segments.first?.baseType == "thin-pool" {
      if pool.segments.first?.volumeName("pool") == volume.name {
        throw VolumeGroupRefusal("Thin pool volumes \(path) cannot be reduced in size yet.")
      }
      if pool.segments.first?.volumeName("metadata") == volume.name {
        throw VolumeGroupRefusal("Thin pool metadata volumes cannot be reduced.")
      }
    }
  }

  private mutating func confirmReduction(
    of volume: LogicalVolume, to target: ResizeTarget, _ request: ResizeRequest
  ) throws(VolumeGroupRefusal) {
    guard context.isActive(volume.id) else { return }
    let path = "\(group.name)/\(volume.name)"
    warn("WARNING: Reducing active logical volume to \(size(extents: target.extentCount)).")
    warn("THIS MAY DESTROY YOUR DATA (filesystem etc.)")
    guard request.isForced || context.confirm("Do you really want to reduce \(path)? [y/n]: ")
    else { throw VolumeGroupRefusal("Logical volume \(path) NOT reduced.") }
  }

  /// What is new of a mirror that was never synchronised is only taken for equal while the kernel
  /// tells that the rest is. LVM asks then whether all is to be synchronised, whatever `-y` says.
  private func checkSynchronisation(
    of volume: LogicalVolume, _ request: ResizeRequest
  ) throws(VolumeGroupRefusal) {
    guard volume.segments.first?.baseType == "mirror", !context.isActive(volume.id),
      !request.isSynchronised || volume.status.contains(.notSynced)
    else { return }
    let path = "\(group.name)/\(volume.name)"
    var refusal = VolumeGroupRefusal(
      "Unable to read sync percent while LV \(path) is not locally active.")
    refusal.messages.append("Do full resync of extended portion of \(path)?  [y/n]: [n]")
    throw refusal
  }

  // MARK: - Extents

  private mutating func extend(
    _ volume: LogicalVolume, to target: ResizeTarget, _ request: ResizeRequest,
    _ extents: AllocatableExtents
  ) throws(VolumeGroupRefusal) {
    let added = target.extentCount - volume.extentCount
    guard let last = volume.segments.last else { return }
    let layout = last.imageLayout
    let isVirtual = layout == nil && last.stripedLayout == nil
    if isVirtual {
      return update(volume.name) { $0.segments[$0.segments.count - 1].extentCount += added }
    }
    var allocation = AllocationRequest(
      extentCount: added, areaCount: target.stripeCount * target.copyCount,
      multiple: target.stripeCount, policy: policy(for: volume, request),
      settings: settings.allocation)
    allocation.volumeName = volume.name
    allocation.layout = group.existingLayout(of: volume)
    allocation.parityCount = layout?.raid?.parityCount ?? 0
    allocation.isApproximate = target.isApproximate
    let found = try group.allocate(allocation, from: extents)
    guard let layout else {
      return update(volume.name) {
        $0.append(
          found.parts, slots: 0..<target.stripeCount, stripeSectors: target.stripeSectors)
      }
    }
    // A mirror's leg has as many stripes as it had; a RAID image is linear.
    let width = layout.raid == nil ? target.stripeCount : 1
    for (index, image) in layout.images.enumerated() {
      let slots = index * width..<(index + 1) * width
      update(image) {
        $0.append(found.parts, slots: slots, stripeSectors: target.stripeSectors)
      }
    }
    update(volume.name) {
      let multiple = layout.raid == nil ? target.stripeCount : layout.multiple
      $0.segments[$0.segments.count - 1].extentCount += found.extentCountPerSlot * multiple
    }
    adjustRegionSize(of: volume.name)
  }

  /// The LV's own policy counts for its images, too.
  private func policy(for volume: LogicalVolume, _ request: ResizeRequest) -> AllocationPolicy {
    switch request.allocation {
    case .policy(let policy): policy
    case .inherit: group.allocationPolicy
    case nil: volume.allocationPolicy ?? group.allocationPolicy
    }
  }

  /// At most 2²¹ regions: the bitmap of a RAID volume has a fixed size.
  private mutating func adjustRegionSize(of name: String) {
    guard let volume = group.logicalVolume(named: name) else { return }
    let size = group.sizeSectors(of: volume)
    guard volume.segments.count == 1, volume.segments[0].raidType?.isRAID0 == false,
      case .other(_, let section) = volume.segments[0].kind,
      var region = section.integer("region_size").flatMap({ UInt64(exactly: $0) }), region > 0
    else { return }
    let old = region
    while size > region << 21 { region *= 2 }
    guard region != old else { return }
    update(name) { $0.segments[0].edit { $0.set("region_size", .integer(Int64(region))) } }
  }

  /// Cuts an LV at its end, and all images at theirs.
  mutating func shorten(_ name: String, to extentCount: Int) {
    var images: [(name: String, extentCount: Int)] = []
    update(name) { volume in
      volume.segments = volume.segments.compactMap { segment in
        guard segment.startExtent < extentCount else { return nil }
        var segment = segment
        segment.extentCount = min(segment.endExtent, extentCount) - segment.startExtent
        if let layout = segment.imageLayout {
          for image in layout.images {
            images.append((image, segment.extentCount / layout.multiple))
          }
        }
        return segment
      }
    }
    for image in images { shorten(image.name, to: image.extentCount) }
  }

  /// A pool is as large as its data, a snapshot's binding stays as it was.
  private mutating func adjustUsers(of name: String) {
    guard let count = group.logicalVolume(named: name)?.extentCount else { return }
    for volume in group.logicalVolumes where volume.segments.first?.baseType == "thin-pool" {
      guard volume.segments.first?.volumeName("pool") == name else { continue }
      update(volume.name) { $0.segments[0].extentCount = count }
    }
  }
}
