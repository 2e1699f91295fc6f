import ConfigText
import LVMMetadata

/// lvconvert of volumes of type mirror, and to it, while they are not active (lvm2-metadata 7.2).
extension GroupEdit {
  /// - Parameters:
  ///   - copyCount: nil leaves it.
  ///   - log: nil leaves it, or takes a disk log for a new mirror.
  mutating func convertMirror(
    _ name: String, copyCount: Int?, log: CreateRequest.MirrorLog?, _ request: CreateRequest
  ) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let path = "\(group.name)/\(name)"
    guard let volume = group.logicalVolume(named: name), let segment = volume.segments.first else {
      throw VolumeGroupRefusal("Failed to find logical volume \"\(path)\"")
    }
    guard !context.isActive(volume.id) else {
      throw VolumeGroupRefusal(
        "Logical volume \(path) is active: deactivate it first, or use LVM's own lvconvert, which "
          + "has the kernel copy.")
    }
    guard segment.baseType == "mirror" else {
      guard let copyCount, copyCount > 1 else { throw notPermitted(volume) }
      return try makeMirror(volume, copyCount: copyCount, log: log ?? .disk, request)
    }
    guard let layout = segment.imageLayout, !segment.typeName.contains("+"),
      layout.images.allSatisfy({ group.logicalVolume(named: $0)?.isLinearOrStriped == true }),
      !volume.status.contains(.locked)
    else {
      throw VolumeGroupRefusal("\(path) is being converted already: use LVM's own lvconvert.")
    }
    let count = copyCount ?? layout.images.count
    guard count <= layout.images.count else {
      throw VolumeGroupRefusal(
        "clvm adds no images to the mirror \(path): use LVM's own lvconvert.")
    }
    if count == 1 {
      try removeMirror(volume, layout)
    } else {
      removeImages(layout.images.suffix(layout.images.count - count), of: name)
      try change(log, of: name, layout, request)
    }
    print("Logical volume \(path) converted.")
  }

  /// LVM's words for a command on an LV of the wrong type.
  func notPermitted(_ volume: LogicalVolume) -> VolumeGroupRefusal {
    let path = "\(group.name)/\(volume.name)"
    return VolumeGroupRefusal(
      "Command on LV \(path) does not accept LV type \(volume.typeWord).",
      "Command not permitted on LV \(path).")
  }

  private mutating func removeMirror(
    _ volume: LogicalVolume, _ layout: ImageLayout
  ) throws(VolumeGroupRefusal) {
    guard let first = layout.images.first.flatMap({ group.logicalVolume(named: $0) }) else {
      throw VolumeGroupRefusal("\(group.name)/\(volume.name) has no images.")
    }
    let parts = Set(layout.images + [layout.log].compactMap { $0 })
    group.logicalVolumes.removeAll { parts.contains($0.name) }
    update(volume.name) { volume in
      volume.segments = first.segments
      volume.status.remove(.notSynced)
    }
  }

  private mutating func removeImages(_ images: ArraySlice<String>, of name: String) {
    guard !images.isEmpty else { return }
    group.logicalVolumes.removeAll { images.contains($0.name) }
    update(name) { volume in
      volume.segments[0].edit { section in
        let rest = section.list("mirrors")?.dropLast(2 * images.count) ?? []
        section.set("mirrors", .list(Array(rest)))
        section.set("mirror_count", .integer(Int64(rest.count / 2)))
      }
    }
  }

  private mutating func change(
    _ log: CreateRequest.MirrorLog?, of name: String, _ layout: ImageLayout,
    _ request: CreateRequest
  ) throws(VolumeGroupRefusal) {
    switch (log, layout.log) {
    case (nil, _), (.core, nil), (.disk, _?): return
    case (.core, let old?):
      guard
        context.confirm(
          "Full resync required to convert inactive mirror volume \(group.name)/\(name) to core log. "
            + "Proceed? [y/n]: ")
      else { throw VolumeGroupRefusal("Logical volume \(group.name)/\(name) NOT converted.") }
      group.logicalVolumes.removeAll { $0.name == old }
      update(name) { volume in
        volume.segments[0].edit { $0.entries.removeAll { $0.name == "mirror_log" } }
      }
    case (.disk, nil):
      guard let volume = group.logicalVolume(named: name),
        case .other(_, let section)? = volume.segments.first?.kind,
        let region = section.integer("region_size").flatMap({ UInt64(exactly: $0) })
      else { return }
      let legs = layout.images.compactMap { group.logicalVolume(named: $0) }
        .flatMap(\.segments).flatMap { $0.stripedLayout?.areas ?? [] }.compactMap(\.physicalVolume)
      try addMirrorLog(
        to: name, region: region, extentCount: volume.extentCount, request, avoiding: legs)
      update(name) { $0.segments[0].edit { $0.insertMirrorLog("\(name)_mlog") } }
    }
  }

  /// The LV becomes the first image; the kernel copies it to the others when the mirror first runs.
  private mutating func makeMirror(
    _ volume: LogicalVolume, copyCount: Int, log: CreateRequest.MirrorLog,
    _ request: CreateRequest
  ) throws(VolumeGroupRefusal) {
    let name = volume.name
    let volume = try convertibleVolume(name)
    guard copyCount <= 8 else {
      throw VolumeGroupRefusal("Only up to 8 images in mirror supported currently.")
    }
    let own = volume.segments.flatMap { $0.stripedLayout?.areas ?? [] }
      .compactMap(\.physicalVolume)
    let region = regionSectors(
      request, size: group.sizeSectors(of: volume), stripe: 0, type: "mirror", isQuiet: true)
    var allocation = AllocationRequest(
      extentCount: volume.extentCount, areaCount: copyCount - 1, multiple: 1,
      policy: request.allocation?.policy ?? volume.allocationPolicy ?? group.allocationPolicy,
      settings: settings.allocation)
    allocation.parallelAreas = [.init(extents: 0..<volume.extentCount, avoided: Set(own))]
    let logSize = mirrorLogSize(extentCount: volume.extentCount, region: region)
    if log == .disk {
      allocation.logExtentCount = logSize.extentCount
      allocation.needsSeparateLog = settings.allocation.separatesMirrorLogs
    }
    let found = try group.allocate(
      allocation, from: try allocatableExtents(request.physicalVolumes))
    if log == .disk, let area = found.log {
      var log = makeVolume("\(name)_mlog", isVisible: false)
      log.append(area, extentCount: logSize.extentCount)
      wipe(area, byteCount: Int(logSize.sectors) * 512)
      add(log)
    }
    var first = makeVolume(
      "\(name)_mimage_0", isVisible: false, isWritable: volume.isWritable)
    first.segments = volume.segments
    add(first)
    for index in 1..<copyCount {
      var image = makeVolume("\(name)_mimage_\(index)", isVisible: false)
      image.append(found.parts, slots: (index - 1)..<index, stripeSectors: 0)
      add(image)
    }
    update(name) { volume in
      volume.segments = [
        .mirror(
          name, copyCount: copyCount, log: log, region: region, extentCount: volume.extentCount)
      ]
    }
    print("Logical volume \(group.name)/\(name) being converted.")
    print("Conversion starts after activation.")
  }
}

extension LogicalVolume {
  /// What LVM calls its type when it refuses a command on it.
  var typeWord: String {
    guard let segment = segments.first else { return "linear" }
    if let layout = segment.stripedLayout { return layout.isLinear ? "linear" : "striped" }
    return segment.baseType.filter { $0 != "-" }
  }
}

extension Segment {
  static func mirror(
    _ name: String, copyCount: Int, log: CreateRequest.MirrorLog, region: UInt64,
    extentCount: Int
  ) -> Segment {
    var section = ConfigSection()
    section.append("mirror_count", number: copyCount)
    if log == .disk { section.append("mirror_log", text: "\(name)_mlog") }
    section.append("region_size", number: region)
    section.append(
      "mirrors",
      .list(
        (0..<copyCount).flatMap {
          [ConfigValue.string("\(name)_mimage_\($0)"), .integer(0)]
        }))
    return .whole("mirror", extentCount: extentCount, section)
  }
}

extension ConfigSection {
  /// Where LVM writes it: behind the number of images.
  fileprivate mutating func insertMirrorLog(_ name: String) {
    let index = entries.firstIndex { $0.name == "mirror_count" }.map { $0 + 1 } ?? 0
    entries.insert(ConfigEntry(name: "mirror_log", content: .value(.string(name))), at: index)
  }
}
