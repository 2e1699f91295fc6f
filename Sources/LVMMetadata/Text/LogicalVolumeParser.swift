import ConfigText

/// Reads the LV sections of a metadata text (lvm2-metadata 6.3, 6.4 and 7.1).
struct LogicalVolumeParser {
  private let path: String
  private let physicalVolumes: [String: LVMIdentifier]

  init(physicalVolumes: [PhysicalVolume], path: String) throws(MetadataTextError) {
    var byLabel: [String: LVMIdentifier] = [:]
    for volume in physicalVolumes {
      guard byLabel.updateValue(volume.id, forKey: volume.label) == nil else {
        throw MetadataTextError(path: path, problem: "the PV '\(volume.label)' is listed twice")
      }
    }
    self.physicalVolumes = byLabel
    self.path = path
  }

  func parse(_ section: ConfigSection) throws(MetadataTextError) -> [LogicalVolume] {
    // Names first: segments may refer to volumes further down.
    var names: Set<String> = []
    for entry in section.entries {
      guard names.insert(entry.name).inserted else {
        throw MetadataTextError(path: path, problem: "the LV '\(entry.name)' is listed twice")
      }
    }
    var volumes: [LogicalVolume] = []
    for entry in section.entries {
      guard case .section(let inner) = entry.content else {
        throw MetadataTextError(path: "\(path)/\(entry.name)", problem: "is not a section")
      }
      let reader = SectionReader(path: "\(path)/\(entry.name)", section: inner)
      volumes.append(try parseVolume(reader, entry.name, volumeNames: names))
    }
    return volumes
  }

  private func parseVolume(
    _ reader: SectionReader, _ name: String, volumeNames: Set<String>
  ) throws(MetadataTextError) -> LogicalVolume {
    var reader = reader
    var volume = LogicalVolume(
      name: name, id: try reader.identifier("id"),
      status: try reader.status(LogicalVolumeFlag.self),
      flags: reader.flags(LogicalVolumeFlag.self))
    volume.tags = reader.strings("tags") ?? []
    volume.creationTime = try reader.unsigned64("creation_time")
    volume.creationHost = reader.string("creation_host")
    guard (volume.creationTime == nil) == (volume.creationHost == nil) else {
      throw reader.failure("only one of 'creation_time' and 'creation_host' is given")
    }
    volume.lockArguments = reader.string("lock_args")
    volume.allocationPolicy = try reader.allocationPolicy()
    volume.profile = reader.string("profile")
    volume.readAheadSectors = reader.signed32("read_ahead")
    volume.major = reader.signed32("major")
    volume.minor = reader.signed32("minor")
    let segmentCount = try reader.requiredUnsigned32("segment_count")
    for entry in reader.untaken {
      switch entry.content {
      case .value: volume.unknownEntries.append(entry)
      case .section(let inner):
        let inner = SectionReader(path: "\(reader.path)/\(entry.name)", section: inner)
        volume.segments.append(try parseSegment(inner, volumeNames: volumeNames))
      }
    }
    guard volume.segments.count == Int(segmentCount) else {
      throw reader.failure(
        "segment_count is \(segmentCount), but there are \(volume.segments.count) segments")
    }
    volume.mergeAdjacentSegments()
    return volume
  }

  private func parseSegment(
    _ reader: SectionReader, volumeNames: Set<String>
  ) throws(MetadataTextError) -> Segment {
    var reader = reader
    let startExtent = Int(try reader.requiredUnsigned32("start_extent"))
    let extentCount = Int(try reader.requiredUnsigned32("extent_count"))
    guard extentCount > 0 else { throw reader.failure("extent_count is 0") }
    let reshapeCount = Int(reader.unsigned32("reshape_count") ?? 0)
    let type = try reader.requiredString("type")
    let tags = reader.strings("tags") ?? []
    let kind: Segment.Kind
    var unknownEntries: [ConfigEntry] = []
    if type == "striped" || type == "linear" {
      kind = .striped(
        try parseStriped(&reader, extentCount: extentCount, volumeNames: volumeNames))
      unknownEntries = reader.untaken
    } else {
      kind = .other(type: type, ConfigSection(entries: reader.untaken))
    }
    return Segment(
      startExtent: startExtent, extentCount: extentCount, reshapeCount: reshapeCount, tags: tags,
      kind: kind, unknownEntries: unknownEntries)
  }

  private func parseStriped(
    _ reader: inout SectionReader, extentCount: Int, volumeNames: Set<String>
  ) throws(MetadataTextError) -> StripedLayout {
    let stripeCount = Int(try reader.requiredUnsigned32("stripe_count"))
    guard stripeCount > 0 else { throw reader.failure("stripe_count is 0") }
    guard extentCount % stripeCount == 0 else {
      throw reader.failure("\(extentCount) extents cannot be spread over \(stripeCount) stripes")
    }
    var stripeSize: UInt32 = 0
    if stripeCount > 1 {
      stripeSize = try reader.requiredUnsigned32("stripe_size")
      guard stripeSize > 0 else { throw reader.failure("stripe_size is 0") }
    } else {
      _ = reader.unsigned32("stripe_size")
    }
    guard let items = reader.list("stripes") else { throw reader.failure("'stripes' is missing") }
    guard items.count == 2 * stripeCount else {
      throw reader.failure("'stripes' does not list \(stripeCount) areas")
    }
    var areas: [SegmentArea] = []
    for index in stride(from: 0, to: items.count, by: 2) {
      guard case .string(let name) = items[index], case .integer(let first) = items[index + 1],
        let firstExtent = UInt32(exactly: first)
      else {
        throw reader.failure("'stripes' is not a list of names and extents")
      }
      let source: SegmentArea.Source
      if let id = physicalVolumes[name] {
        source = .physicalVolume(id)
      } else if volumeNames.contains(name) {
        source = .logicalVolume(name: name)
      } else {
        throw reader.failure("'stripes' names '\(name)', which is neither a PV nor an LV")
      }
      areas.append(SegmentArea(source: source, firstExtent: Int(firstExtent)))
    }
    return StripedLayout(areas: areas, stripeSizeSectors: UInt64(stripeSize))
  }
}
