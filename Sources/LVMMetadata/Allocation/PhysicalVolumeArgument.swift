/// A PV on the command line: `/dev/sdb`, `/dev/sdb:0-99:200-`, `@tag` (lvm2-allocation 3).
public struct PhysicalVolumeArgument: Sendable, Equatable {
  public enum Subject: Sendable, Equatable {
    /// A device path; the caller knows which PV it is.
    case device(String)
    /// All PVs with the tag.
    case tag(String)
  }

  /// Extents as written: both ends belong to it; nil stands for the first or last extent.
  public struct Range: Sendable, Equatable {
    public var first: Int?
    public var last: Int?

    public init(first: Int?, last: Int?) {
      self.first = first
      self.last = last
    }
  }

  public var subject: Subject
  /// In the order written; empty stands for the whole PV.
  public var ranges: [Range]

  public init(subject: Subject, ranges: [Range] = []) {
    self.subject = subject
    self.ranges = ranges
  }

  /// Parses an argument; a `:` ends the device path.
  public init(parsing text: String) throws(VolumeGroupRefusal) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let name = String(parts[0])
    subject = name.hasPrefix("@") ? .tag(String(name.dropFirst())) : .device(name)
    ranges = []
    for part in parts.dropFirst() {
      guard let range = Self.range(part) else {
        throw VolumeGroupRefusal("Physical extent parsing error at \(part)")
      }
      ranges.append(range)
    }
  }

  /// `a-b`, `a-`, `-b`, `a+n` or `a`.
  private static func range(_ text: Substring) -> Range? {
    if let plus = text.firstIndex(of: "+") {
      guard let first = number(text[..<plus]), let count = number(text[text.index(after: plus)...]),
        count > 0
      else { return nil }
      return Range(first: first, last: first + count - 1)
    }
    guard let minus = text.firstIndex(of: "-") else {
      return number(text).map { Range(first: $0, last: $0) }
    }
    let left = text[..<minus]
    let right = text[text.index(after: minus)...]
    guard left.isEmpty || number(left) != nil, right.isEmpty || number(right) != nil else {
      return nil
    }
    return Range(first: number(left), last: number(right))
  }

  private static func number(_ text: Substring) -> Int? {
    guard text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else {
      return nil
    }
    return UInt32(text).map(Int.init)
  }
}

/// A PV with the extents that may be used.
public struct PhysicalVolumeChoice: Sendable, Equatable {
  public var id: LVMIdentifier
  /// In the order given; nil stands for all extents.
  public var ranges: [Range<Int>]?

  public init(id: LVMIdentifier, ranges: [Range<Int>]? = nil) {
    self.id = id
    self.ranges = ranges
  }
}

extension VolumeGroup {
  /// Which PVs the arguments name; one named twice is one with several ranges.
  ///
  /// - Parameters:
  ///   - deviceName: how a PV is called in messages.
  ///   - isUsable: false leaves a PV out, whatever extents of it are named.
  ///   - resolve: the PV on a device path, or nil.
  public func physicalVolumeChoices(
    _ arguments: [PhysicalVolumeArgument], deviceName: (LVMIdentifier) -> String,
    isUsable: (LVMIdentifier) -> Bool = { _ in true }, resolve: (String) -> LVMIdentifier?
  ) throws(VolumeGroupRefusal) -> [PhysicalVolumeChoice] {
    var choices: [PhysicalVolumeChoice] = []
    for argument in arguments {
      let volumes: [PhysicalVolume]
      switch argument.subject {
      case .tag(let tag): volumes = physicalVolumes.filter { $0.tags.contains(tag) }
      case .device(let path):
        guard let id = resolve(path), let volume = physicalVolume(id: id) else {
          throw VolumeGroupRefusal(
            "Physical Volume \"\(path)\" not found in Volume Group \"\(name)\".")
        }
        volumes = [volume]
      }
      for volume in volumes where isUsable(volume.id) {
        try Self.add(argument.ranges, of: volume, deviceName(volume.id), to: &choices)
      }
    }
    return choices
  }

  private static func add(
    _ ranges: [PhysicalVolumeArgument.Range], of volume: PhysicalVolume, _ deviceName: String,
    to choices: inout [PhysicalVolumeChoice]
  ) throws(VolumeGroupRefusal) {
    let index: Int
    if let known = choices.firstIndex(where: { $0.id == volume.id }) {
      index = known
    } else {
      choices.append(PhysicalVolumeChoice(id: volume.id, ranges: []))
      index = choices.count - 1
    }
    let whole = [PhysicalVolumeArgument.Range(first: nil, last: nil)]
    for range in ranges.isEmpty ? whole : ranges {
      let first = range.first ?? 0
      let last = range.last ?? volume.extentCount - 1
      guard first <= last, last < volume.extentCount else {
        throw VolumeGroupRefusal("PE range error: start extent \(first) to end extent \(last).")
      }
      let extents = first..<(last + 1)
      for other in choices[index].ranges ?? [] where other.overlaps(extents) {
        throw VolumeGroupRefusal(
          "Overlapping PE ranges specified (\(first)-\(last), "
            + "\(other.lowerBound)-\(other.upperBound - 1)) on \(deviceName).")
      }
      choices[index].ranges?.append(extents)
    }
  }
}
