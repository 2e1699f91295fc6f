import ConfigText

/// A run of an LV's extents that is mapped in one way (lvm2-metadata 6.4).
public struct Segment: Sendable, Equatable {
  /// The mapping of a segment.
  public enum Kind: Sendable, Equatable {
    /// Linear (one area) or striped; LVM writes both as `striped`.
    case striped(StripedLayout)
    /// Every other type under its full name, flags included, with all keys of its own as they
    /// stood in the text. Lists in it name PVs by `PhysicalVolume.label` and LVs by name.
    case other(type: String, ConfigSection)
  }

  /// First logical extent.
  public var startExtent: Int
  /// Length in logical extents.
  public var extentCount: Int
  /// Extents reserved for an out-of-place reshape of a RAID volume; 0 when absent.
  public var reshapeCount: Int
  public var tags: [String]
  public var kind: Kind
  /// Keys of a striped segment that LVM does not know; those of other types stay in `kind`.
  public var unknownEntries: [ConfigEntry]

  public init(
    startExtent: Int, extentCount: Int, reshapeCount: Int = 0, tags: [String] = [], kind: Kind,
    unknownEntries: [ConfigEntry] = []
  ) {
    self.startExtent = startExtent
    self.extentCount = extentCount
    self.reshapeCount = reshapeCount
    self.tags = tags
    self.kind = kind
    self.unknownEntries = unknownEntries
  }

  /// The logical extent behind the last one.
  public var endExtent: Int { startExtent + extentCount }

  /// The type as the text names it, flags included.
  public var typeName: String {
    switch kind {
    case .striped: "striped"
    case .other(let type, _): type
    }
  }

  /// Nil when the segment is neither linear nor striped.
  public var stripedLayout: StripedLayout? {
    switch kind {
    case .striped(let layout): layout
    case .other: nil
    }
  }
}

/// The areas over which a linear or striped segment is spread (lvm2-metadata 7.1).
public struct StripedLayout: Sendable, Equatable {
  /// One area per stripe, in order; exactly one when linear.
  public var areas: [SegmentArea]
  /// Bytes of a stripe in sectors; 0 when linear.
  public var stripeSizeSectors: UInt64

  public init(areas: [SegmentArea], stripeSizeSectors: UInt64 = 0) {
    self.areas = areas
    self.stripeSizeSectors = stripeSizeSectors
  }

  public var isLinear: Bool { areas.count == 1 }
}

/// Where one stripe of a segment lies.
public struct SegmentArea: Sendable, Equatable {
  public enum Source: Sendable, Hashable {
    case physicalVolume(LVMIdentifier)
    case logicalVolume(name: String)
  }

  public var source: Source
  /// First extent within the source.
  public var firstExtent: Int

  public init(source: Source, firstExtent: Int) {
    self.source = source
    self.firstExtent = firstExtent
  }

  public static func physicalVolume(_ id: LVMIdentifier, firstExtent: Int) -> SegmentArea {
    SegmentArea(source: .physicalVolume(id), firstExtent: firstExtent)
  }

  /// Nil when the area lies on another LV.
  public var physicalVolume: LVMIdentifier? {
    switch source {
    case .physicalVolume(let id): id
    case .logicalVolume: nil
    }
  }
}
