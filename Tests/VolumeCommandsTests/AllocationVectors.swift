import ConfigText
import Glibc
import LVMMetadata
import Testing
import VolumeCommands

/// One command that LVM 2.03.16 ran, and what came of it.
struct AllocationVector: Sendable, CustomTestStringConvertible {
  let name: String
  let section: ConfigSection

  var testDescription: String { name }

  /// All of them, from `Fixtures/lvm2/allocation.conf`, whose head describes the format.
  static let all: [AllocationVector] = {
    var parts = #filePath.split(separator: "/").dropLast()
    while let last = parts.last, last != "Tests" { parts.removeLast() }
    let root = "/" + parts.dropLast().joined(separator: "/")
    guard let bytes = bytes(of: "\(root)/Fixtures/lvm2/allocation.conf"),
      let text = try? ConfigSection(parsing: bytes)
    else { return [] }
    return text.entries.compactMap { entry in
      guard case .section(let section) = entry.content else { return nil }
      return AllocationVector(name: entry.name, section: section)
    }
  }()

  private static func bytes(of path: String) -> [UInt8]? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
      bytes += buffer[..<count]
    }
    return bytes
  }

  var words: [String] {
    (section.string("command") ?? "").split(separator: " ").map(String.init)
  }

  var settings: CommandSettings {
    var settings = CommandSettings()
    for item in section.strings("config") ?? [] {
      let parts = item.split(separator: "=", maxSplits: 1).map(String.init)
      switch parts[0] {
      case "allocation/maximise_cling": settings.allocation.maximisesCling = parts[1] != "0"
      case "allocation/mirror_logs_require_separate_pvs":
        settings.allocation.separatesMirrorLogs = parts[1] == "1"
      case "allocation/thin_pool_metadata_require_separate_pvs":
        settings.allocation.separatesPoolMetadata = parts[1] == "1"
      case "allocation/cling_tag_list":
        let list = try? ConfigSection(parsing: "list = \(parts[1])").strings("list")
        settings.allocation.clingTags = (list ?? []).map { String($0.drop { $0 == "@" }) }
      default: preconditionFailure("setting \(parts[0]) is not known to the test")
      }
    }
    return settings
  }

  // MARK: - The group before

  var before: VolumeGroup {
    var identifiers = IdentifierSequence()
    var group = VolumeGroup(name: "vg", id: identifiers.next())
    group.extentSizeSectors = section.integer("extent_size").map { UInt64($0) } ?? 8192
    if let policy = section.string("allocation_policy").flatMap({ AllocationPolicy(rawValue: $0) })
    {
      group.allocationPolicy = policy
    }
    for line in section.strings("pvs") ?? [] {
      let words = line.split(separator: " ").map(String.init)
      var volume = PhysicalVolume(
        label: words[0], id: identifiers.next(), device: words[0],
        extentStartSectors: 2048, extentCount: Int(words[1]) ?? 0)
      for word in words.dropFirst(2) {
        if word == "x" { volume.status.remove(.allocatable) }
        if word.hasPrefix("@") { volume.tags.append(String(word.dropFirst())) }
      }
      group.physicalVolumes.append(volume)
    }
    for line in section.strings("before") ?? [] {
      group.logicalVolumes.append(Self.volume(line, in: group, id: identifiers.next()))
    }
    return group
  }

  private static func volume(
    _ line: String, in group: VolumeGroup, id: LVMIdentifier
  ) -> LogicalVolume {
    let words = line.split(separator: " ").map(String.init)
    var volume = LogicalVolume(name: words[0], id: id)
    if words[1] != "V" { volume.status.remove(.visible) }
    for word in words.dropFirst(2) {
      if word.hasPrefix("alloc=") {
        volume.allocationPolicy = AllocationPolicy(rawValue: String(word.dropFirst(6)))
      } else {
        volume.segments.append(segment(word, in: group))
      }
    }
    return volume
  }

  private static func segment(_ text: String, in group: VolumeGroup) -> Segment {
    let parts = text.split(separator: "/").map(String.init)
    let range = parts[0].split(separator: "+").compactMap { Int($0) }
    var keys: [String: String] = [:]
    var areas: [(String, Int)] = []
    for part in parts.dropFirst(2) {
      let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
      if pair.count == 2 {
        keys[pair[0]] = pair[1]
      } else {
        areas = part.split(separator: ",").map {
          let area = $0.split(separator: ":").map(String.init)
          return (area[0], Int(area[1]) ?? 0)
        }
      }
    }
    let kind: Segment.Kind
    if parts[1] == "striped" {
      kind = .striped(
        StripedLayout(
          areas: areas.map { name, first in
            if let volume = group.physicalVolume(labelled: name) {
              return .physicalVolume(volume.id, firstExtent: first)
            }
            return SegmentArea(source: .logicalVolume(name: name), firstExtent: first)
          }, stripeSizeSectors: keys["stripe_size"].flatMap { UInt64($0) } ?? 0))
    } else {
      kind = .other(type: parts[1], section(parts[1], keys, areas))
    }
    return Segment(startExtent: range[0], extentCount: range[1], kind: kind)
  }

  private static func section(
    _ type: String, _ keys: [String: String], _ areas: [(String, Int)]
  ) -> ConfigSection {
    var section = ConfigSection()
    for (key, text) in keys.sorted(by: { $0.key < $1.key }) {
      if key == "raids" {
        let names = text.split(separator: ",").map { ConfigValue.string(String($0)) }
        section.append(type == "raid0" ? "raid0_lvs" : "raids", .list(names))
      } else {
        section.append(key, Int64(text).map { .integer($0) } ?? .string(text))
      }
    }
    if !areas.isEmpty {
      section.append(
        "mirrors", .list(areas.flatMap { [.string($0.0), .integer(Int64($0.1))] }))
    }
    return section
  }

  // MARK: - Groups as text

  /// Every LV in the fixture's form, sorted by name.
  static func lines(_ group: VolumeGroup) -> [String] {
    group.logicalVolumes.map { volume in
      var words = [volume.name, volume.isVisible ? "V" : "-"]
      if let policy = volume.allocationPolicy { words.append("alloc=\(policy.rawValue)") }
      return (words + volume.segments.map { segmentText($0, group) }).joined(separator: " ")
    }.sorted()
  }

  private static func segmentText(_ segment: Segment, _ group: VolumeGroup) -> String {
    var parts = ["\(segment.startExtent)+\(segment.extentCount)", segment.typeName]
    switch segment.kind {
    case .striped(let layout):
      if layout.stripeSizeSectors > 0 { parts.append("stripe_size=\(layout.stripeSizeSectors)") }
      parts.append(
        layout.areas.map { area in
          let name =
            switch area.source {
            case .physicalVolume(let id): group.physicalVolume(id: id)?.label ?? "?"
            case .logicalVolume(let name): name
            }
          return "\(name):\(area.firstExtent)"
        }.joined(separator: ","))
    case .other(_, let section):
      for key in [
        "stripe_size", "region_size", "data_copies", "mirror_log", "chunk_size", "origin",
        "cow_store", "metadata", "pool",
      ] {
        if let number = section.integer(key) { parts.append("\(key)=\(number)") }
        if let text = section.string(key) { parts.append("\(key)=\(text)") }
      }
      if let names = section.strings("raids") ?? section.strings("raid0_lvs") {
        parts.append("raids=" + names.joined(separator: ","))
      }
      if let items = section.list("mirrors") {
        parts.append(
          stride(from: 0, to: items.count - 1, by: 2).map { index in
            "\(items[index].asString ?? "?"):\(items[index + 1].asInteger ?? -1)"
          }.joined(separator: ","))
      }
    }
    return parts.joined(separator: "/")
  }
}

/// Identifiers that count.
struct IdentifierSequence {
  var count = 0

  mutating func next() -> LVMIdentifier {
    count += 1
    let digits = String(count)
    let text = String(repeating: "0", count: 32 - digits.count) + digits
    guard let identifier = LVMIdentifier(text) else { preconditionFailure("\(text)") }
    return identifier
  }
}
