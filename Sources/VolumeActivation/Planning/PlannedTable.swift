import LVMMetadata

/// What a planned table refers to: mapped devices have no number before they are made.
public enum DeviceReference: Hashable, Sendable {
  /// `number` is nil for an image file, over which nothing can be loaded.
  case physicalVolume(LVMIdentifier, number: DeviceNumber?)
  case mapped(MappedDeviceUUID)
}

/// A place on a device that a planned table refers to.
public struct PlannedArea: Hashable, Sendable {
  public let device: DeviceReference
  /// The first sector used, counted from the start of the device.
  public let offset: UInt64

  public init(device: DeviceReference, offset: UInt64) {
    self.device = device
    self.offset = offset
  }
}

/// What is to serve a line of a table, in the kernel's forms (dm-activation, section 3).
public enum PlannedTarget: Hashable, Sendable {
  /// One parameter of a target.
  public enum Parameter: Hashable, Sendable {
    case word(String)
    case device(DeviceReference)
    /// A word that ends in a device.
    case joined(String, DeviceReference)
    /// Where the kernel wants `/dev/dm-MINOR` in the place of the device's number.
    case path(DeviceReference)
  }

  case linear(PlannedArea)
  /// `stripeSize` in sectors.
  case striped(stripeSize: UInt64, [PlannedArea])
  case other(type: String, [Parameter])

  /// The target's name in the kernel.
  public var type: String {
    switch self {
    case .linear: "linear"
    case .striped: "striped"
    case .other(let type, _): type
    }
  }

  /// The devices referred to, in order, with repetitions.
  var references: [DeviceReference] {
    switch self {
    case .linear(let area): [area.device]
    case .striped(_, let areas): areas.map(\.device)
    case .other(_, let parameters):
      parameters.compactMap { parameter in
        switch parameter {
        case .word: nil
        case .device(let reference), .joined(_, let reference), .path(let reference): reference
        }
      }
    }
  }

  /// The parameters as text, with devices called as `name` calls them.
  public func parameters(_ name: (DeviceReference) -> String) -> String {
    switch self {
    case .linear(let area): "\(name(area.device)) \(area.offset)"
    case .striped(let stripeSize, let areas):
      areas.reduce(into: "\(areas.count) \(stripeSize)") { text, area in
        text += " \(name(area.device)) \(area.offset)"
      }
    case .other(_, let parameters):
      parameters.map { parameter in
        switch parameter {
        case .word(let word): word
        case .device(let reference), .path(let reference): name(reference)
        case .joined(let word, let reference): word + name(reference)
        }
      }.joined(separator: " ")
    }
  }

  /// The target with the devices' numbers.
  func resolved<Failure>(
    _ number: (DeviceReference) throws(Failure) -> DeviceNumber
  ) throws(Failure) -> TableTarget {
    switch self {
    case .linear(let area):
      return .linear(TableArea(device: try number(area.device), offset: area.offset))
    case .striped(let stripeSize, let areas):
      var resolved: [TableArea] = []
      for area in areas {
        resolved.append(TableArea(device: try number(area.device), offset: area.offset))
      }
      return .striped(StripedTarget(stripeSize: stripeSize, areas: resolved))
    case .other(let type, let parameters):
      var words: [String] = []
      for parameter in parameters {
        switch parameter {
        case .word(let word): words.append(word)
        case .device(let reference): words.append(try number(reference).description)
        case .joined(let word, let reference): words.append("\(word)\(try number(reference))")
        case .path(let reference): words.append("/dev/dm-\(try number(reference).minor)")
        }
      }
      return TableTarget(type: type, parameters: words.joined(separator: " "))
    }
  }
}

/// A run of a planned device's sectors.
public struct PlannedLine: Hashable, Sendable {
  /// In sectors from the start of the device.
  public let start: UInt64
  /// In sectors.
  public let length: UInt64
  public let target: PlannedTarget
}

/// The table of a planned device: lines that cover it from sector 0 without gap or overlap.
public struct PlannedTable: Hashable, Sendable {
  public private(set) var lines: [PlannedLine] = []
  /// The size of the device in sectors.
  public private(set) var sectorCount: UInt64 = 0

  init() {}

  init(_ target: PlannedTarget, sectors: UInt64) {
    lines = [PlannedLine(start: 0, length: sectors, target: target)]
    sectorCount = sectors
  }

  /// False when the table would be longer than a device can be, or the line is empty.
  mutating func append(_ target: PlannedTarget, sectors: UInt64) -> Bool {
    let (end, overflow) = sectorCount.addingReportingOverflow(sectors)
    guard !overflow, sectors > 0 else { return false }
    lines.append(PlannedLine(start: sectorCount, length: sectors, target: target))
    sectorCount = end
    return true
  }

  /// Cuts the table to at most `sectors`.
  mutating func truncate(to sectors: UInt64) {
    guard sectorCount > sectors else { return }
    lines = lines.filter { $0.start < sectors }.map { line in
      PlannedLine(
        start: line.start, length: min(line.length, sectors - line.start), target: line.target)
    }
    sectorCount = sectors
  }

  /// Every device referred to, each once, in order.
  public var references: [DeviceReference] {
    var seen: Set<DeviceReference> = []
    return lines.flatMap(\.target.references).filter { seen.insert($0).inserted }
  }

  /// The table with the devices' numbers.
  func resolved<Failure>(
    _ number: (DeviceReference) throws(Failure) -> DeviceNumber
  ) throws(Failure) -> DeviceTable {
    var resolved: [TableLine] = []
    resolved.reserveCapacity(lines.count)
    for line in lines {
      resolved.append(
        TableLine(
          start: line.start, length: line.length, target: try line.target.resolved(number)))
    }
    return DeviceTable(contiguous: resolved, sectorCount: sectorCount)
  }
}
