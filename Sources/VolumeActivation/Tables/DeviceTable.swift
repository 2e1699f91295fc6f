/// The table of a mapped device: lines that cover it from sector 0 without gap or overlap.
public struct DeviceTable: Hashable, Sendable, CustomStringConvertible {
  public let lines: [TableLine]

  /// Throws when the lines do not follow each other without a gap, or are too long together.
  public init(_ lines: [TableLine]) throws(TableError) {
    var end: UInt64 = 0
    for line in lines {
      guard line.start == end, line.length > 0 else { throw .notContiguous(line) }
      let (sum, overflow) = end.addingReportingOverflow(line.length)
      guard !overflow else { throw .notContiguous(line) }
      end = sum
    }
    self.lines = lines
    self.sectorCount = end
  }

  private init() {
    lines = []
    sectorCount = 0
  }

  /// Lines of which it is known that they follow each other and are `sectorCount` long together.
  init(contiguous lines: [TableLine], sectorCount: UInt64) {
    self.lines = lines
    self.sectorCount = sectorCount
  }

  /// The table of a device that was created but never loaded.
  public static let empty = DeviceTable()

  /// The size of the device in 512-byte sectors.
  public let sectorCount: UInt64
  public var isEmpty: Bool { lines.isEmpty }

  /// Every device that the table's linear and striped lines refer to, each once, in order.
  public var devices: [DeviceNumber] {
    var seen: Set<DeviceNumber> = []
    return lines.flatMap(\.target.areas).map(\.device).filter { seen.insert($0).inserted }
  }

  public var description: String { lines.map(\.description).joined(separator: "\n") }
}

/// Lines that form no table.
public enum TableError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The line does not start where the one before it ends, is empty, or ends beyond 2^64.
  case notContiguous(TableLine)

  public var description: String {
    switch self {
    case .notContiguous(let line): "the table line '\(line)' does not continue the one before it"
    }
  }
}

/// One line of a table: which target serves a run of the device's sectors.
public struct TableLine: Hashable, Sendable, CustomStringConvertible {
  /// The first sector of the run, counted from the start of the mapped device.
  public let start: UInt64
  /// The length of the run in 512-byte sectors.
  public let length: UInt64
  public let target: TableTarget

  public init(start: UInt64, length: UInt64, target: TableTarget) {
    self.start = start
    self.length = length
    self.target = target
  }

  /// Reads `START LENGTH TARGET [PARAMETERS]`; nil when the numbers are not numbers.
  public init?(_ text: some StringProtocol) {
    let words = text.split(separator: " ", maxSplits: 3)
    guard words.count >= 3, let start = UInt64(decimal: words[0]),
      let length = UInt64(decimal: words[1])
    else { return nil }
    self.init(
      start: start, length: length,
      target: TableTarget(
        type: String(words[2]), parameters: words.count == 4 ? String(words[3]) : ""))
  }

  public var description: String {
    let parameters = target.parameters
    return "\(start) \(length) \(target.type)" + (parameters.isEmpty ? "" : " \(parameters)")
  }
}
