import LVMMetadata

/// The columns about segments of logical volumes.
enum SegmentFields {
  static let all: [ReportField] = [
    field("segtype", "Type") { segment, _ in .text(segment.shownType) },
    number("stripes", "#Str") { segment, _ in .number(Int64(segment.areas.count)) },
    number("stripe_size", "Stripe") { segment, _ in
      .size(
        (segment.stripedLayout?.stripeSizeSectors
          ?? UInt64(clamping: segment.number("stripe_size") ?? 0)) * 512)
    },
    number("region_size", "Region") { segment, _ in
      .size(UInt64(clamping: segment.number("region_size") ?? 0) * 512)
    },
    number("seg_start", "Start") { segment, facts in
      .size(facts.bytes(extents: segment.startExtent))
    },
    number("seg_start_pe", "Start") { segment, _ in .number(Int64(segment.startExtent)) },
    number("seg_size", "SSize") { segment, facts in
      .size(facts.bytes(extents: segment.extentCount))
    },
    number("seg_size_pe", "SSize") { segment, _ in .number(Int64(segment.extentCount)) },
    field("seg_tags", "Seg Tags") { segment, _ in .list(segment.tags.sorted()) },
    field("devices", "Devices") { segment, facts in
      .list(segment.areas.map { "\(facts.areaName($0.name))(\($0.firstExtent))" })
    },
  ]

  private static func field(
    _ name: String, _ heading: String, isNumeric: Bool = false,
    value: @escaping @Sendable (Segment, GroupFacts) -> ReportValue
  ) -> ReportField {
    ReportField(name, heading, .segment, isNumeric: isNumeric) { row in
      guard let facts = row.facts, let segment = row.segment else { return .absent }
      return value(segment, facts)
    }
  }

  private static func number(
    _ name: String, _ heading: String,
    value: @escaping @Sendable (Segment, GroupFacts) -> ReportValue
  ) -> ReportField {
    field(name, heading, isNumeric: true, value: value)
  }
}

/// Where a part of a segment lies.
private struct ShownArea {
  enum Name {
    case physicalVolume(LVMIdentifier)
    /// A PV's label or an LV's name.
    case word(String)
  }

  let name: Name
  let firstExtent: Int
}

extension Segment {
  /// LVM calls a striped segment with one area linear, and leaves away the flags that it knows.
  fileprivate var shownType: String {
    guard let layout = stripedLayout else {
      let flags = typeName.split(separator: "+").dropFirst()
      let isKnown = flags.allSatisfy { LogicalVolumeFlag(word: String($0)) != nil }
      return isKnown ? baseType : typeName
    }
    return layout.isLinear ? "linear" : "striped"
  }

  /// The parts that hold the data: stripes, mirror legs, RAID images, a pool's data volume.
  fileprivate var areas: [ShownArea] {
    switch kind {
    case .striped(let layout):
      return layout.areas.map { area in
        switch area.source {
        case .physicalVolume(let id):
          ShownArea(name: .physicalVolume(id), firstExtent: area.firstExtent)
        case .logicalVolume(let name):
          ShownArea(name: .word(name), firstExtent: area.firstExtent)
        }
      }
    case .other(_, let section):
      if let items = section.list("mirrors") {
        return stride(from: 0, to: items.count - 1, by: 2).compactMap { index in
          guard let name = items[index].asString, let first = items[index + 1].asInteger,
            let extent = Int(exactly: first)
          else { return nil }
          return ShownArea(name: .word(name), firstExtent: extent)
        }
      }
      if let items = section.list("raids") ?? section.list("raid0_lvs") {
        let names = items.compactMap(\.asString)
        // With metadata volumes they come in pairs: metadata, image.
        let images =
          section.list("raids") != nil
          ? names.enumerated().filter { $0.offset % 2 == 1 }.map(\.element) : names
        return images.map { ShownArea(name: .word($0), firstExtent: 0) }
      }
      let keys: [String]
      switch baseType {
      case "thin-pool": keys = ["pool"]
      case "cache-pool", "vdo-pool": keys = ["data"]
      case "cache", "writecache", "integrity": keys = ["origin"]
      case "vdo": keys = ["vdo_pool"]
      default: keys = []
      }
      return keys.compactMap { section.string($0) }.map {
        ShownArea(name: .word($0), firstExtent: 0)
      }
    }
  }
}

extension GroupFacts {
  fileprivate func areaName(_ name: ShownArea.Name) -> String {
    switch name {
    case .physicalVolume(let id): deviceName(of: id)
    case .word(let word):
      // In `devices` the names of hidden volumes stand without brackets.
      group.physicalVolume(labelled: word).map { deviceName(of: $0.id) } ?? word
    }
  }
}
