import ConfigText

/// Reads the LV sections of a metadata text (lvm2-metadata 6.3, 6.4 and 7.1).
struct LogicalVolumeParser {
  private let document: ConfigDocument
  private let physicalVolumes: [String: LVMIdentifier]
  private var names: Set<String> = []
  private var status = Memo<StatusWords<LogicalVolumeFlag>>()
  private var flags = Memo<StatusWords<LogicalVolumeFlag>>()
  private var hosts = Memo<String>()
  private var lockArguments = Memo<String>()
  private var types = Memo<String>()
  private var areaSources = Memo<SegmentArea.Source>()

  init(
    _ document: ConfigDocument, physicalVolumes: [PhysicalVolume], of group: String
  ) throws(MetadataTextError) {
    var byLabel: [String: LVMIdentifier] = [:]
    for volume in physicalVolumes {
      guard byLabel.updateValue(volume.id, forKey: volume.label) == nil else {
        throw MetadataTextError(
          path: "\(group)/physical_volumes", problem: "the PV '\(volume.label)' is listed twice")
      }
    }
    self.document = document
    self.physicalVolumes = byLabel
  }

  /// - Parameter section: the node of `logical_volumes`.
  mutating func parse(_ section: Int) throws(MetadataTextError) -> [LogicalVolume] {
    // Names first: segments may refer to volumes further down.
    let children = document.children(of: section)
    var found: [(node: Int, name: String)] = []
    var node = children.lowerBound
    while node < children.upperBound {
      guard document.isSection(node) else {
        throw MetadataTextError(path: document.path(to: node), problem: "is not a section")
      }
      found.append((node, document.name(node)))
      node = document.next(node)
    }
    names.reserveCapacity(found.count)
    for (_, name) in found where !names.insert(name).inserted {
      throw MetadataTextError(
        path: document.path(to: section), problem: "the LV '\(name)' is listed twice")
    }
    var volumes: [LogicalVolume] = []
    volumes.reserveCapacity(found.count)
    for (node, name) in found { volumes.append(try parseVolume(node, name)) }
    return volumes
  }

  private mutating func parseVolume(
    _ node: Int, _ name: String
  ) throws(MetadataTextError) -> LogicalVolume {
    var reader = SectionReader(document, node)
    var volume = LogicalVolume(
      name: name, id: try reader.identifier("id"), status: try reader.status(&status),
      flags: try reader.flags(&flags))
    volume.tags = reader.strings("tags") ?? []
    volume.creationTime = try reader.unsigned64("creation_time")
    volume.creationHost = reader.string("creation_host", &hosts)
    guard (volume.creationTime == nil) == (volume.creationHost == nil) else {
      throw reader.failure("only one of 'creation_time' and 'creation_host' is given")
    }
    volume.lockArguments = reader.string("lock_args", &lockArguments)
    volume.allocationPolicy = try reader.allocationPolicy()
    volume.profile = reader.string("profile")
    volume.readAheadSectors = reader.signed32("read_ahead")
    volume.major = reader.signed32("major")
    volume.minor = reader.signed32("minor")
    let segmentCount = try reader.requiredUnsigned32("segment_count")
    // What is left are the segments, whatever they are called, and keys that LVM does not know.
    var untaken = reader.nextUntaken()
    while let node = untaken {
      if document.isSection(node) {
        volume.segments.append(try parseSegment(node))
      } else if !reader.isHidden(node) {
        volume.unknownEntries.append(document.entry(node))
      }
      untaken = reader.nextUntaken(after: node)
    }
    guard volume.segments.count == Int(segmentCount) else {
      throw reader.failure(
        "segment_count is \(segmentCount), but there are \(volume.segments.count) segments")
    }
    volume.mergeAdjacentSegments()
    return volume
  }

  private mutating func parseSegment(_ node: Int) throws(MetadataTextError) -> Segment {
    var reader = SectionReader(document, node)
    let startExtent = Int(try reader.requiredUnsigned32("start_extent"))
    let extentCount = Int(try reader.requiredUnsigned32("extent_count"))
    guard extentCount > 0 else { throw reader.failure("extent_count is 0") }
    let reshapeCount = Int(reader.unsigned32("reshape_count") ?? 0)
    guard let type = reader.string("type", &types) else {
      throw reader.failure("string 'type' is missing")
    }
    let tags = reader.strings("tags") ?? []
    let kind: Segment.Kind
    var unknownEntries: [ConfigEntry] = []
    if type == "striped" || type == "linear" {
      kind = .striped(try parseStriped(&reader, extentCount: extentCount))
      unknownEntries = reader.untakenEntries
    } else {
      let section = ConfigSection(entries: reader.untakenEntries)
      let checks = SegmentChecks(names: names, physicalVolumes: physicalVolumes)
      if let problem = checks.problem(type: type, section, segment: reader.name) {
        throw reader.failure(problem)
      }
      kind = .other(type: type, section)
    }
    return Segment(
      startExtent: startExtent, extentCount: extentCount, reshapeCount: reshapeCount, tags: tags,
      kind: kind, unknownEntries: unknownEntries)
  }

  private mutating func parseStriped(
    _ reader: inout SectionReader, extentCount: Int
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
    guard let items = reader.items("stripes") else { throw reader.failure("'stripes' is missing") }
    guard items.count == 2 * stripeCount else {
      throw reader.failure("'stripes' does not list \(stripeCount) areas")
    }
    var areas: [SegmentArea] = []
    areas.reserveCapacity(stripeCount)
    for item in stride(from: items.lowerBound, to: items.upperBound, by: 2) {
      guard let name = document.stringBytes(item), let first = document.integer(item + 1),
        let firstExtent = UInt32(exactly: first)
      else {
        throw reader.failure("'stripes' is not a list of names and extents")
      }
      let source: SegmentArea.Source
      if let known = areaSources[name] {
        source = known
      } else if let found = self.source(named: name) {
        areaSources.remember(found, for: name)
        source = found
      } else {
        let name = String(decoding: name, as: UTF8.self)
        throw reader.failure("'stripes' names '\(name)', which is neither a PV nor an LV")
      }
      areas.append(SegmentArea(source: source, firstExtent: Int(firstExtent)))
    }
    return StripedLayout(areas: areas, stripeSizeSectors: UInt64(stripeSize))
  }

  /// A PV's label wins over an LV's name.
  private func source(named bytes: ArraySlice<UInt8>) -> SegmentArea.Source? {
    let name = String(decoding: bytes, as: UTF8.self)
    if let id = physicalVolumes[name] { return .physicalVolume(id) }
    return names.contains(name) ? .logicalVolume(name: name) : nil
  }
}
