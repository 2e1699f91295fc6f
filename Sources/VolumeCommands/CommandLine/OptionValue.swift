import LVMMetadata

/// What the value of an option may be; LVM looks at that before all else.
enum OptionValue: Sendable {
  /// Which signs a number may have.
  enum Sign: Sendable {
    case none, notNegative, notPositive, any
  }

  /// The option has no value.
  case flag
  case bool
  case number
  case signedNumber(Sign)
  case uint32
  /// A size; the unit is meant when none is given.
  case size(Unicode.Scalar, Sign)
  case regionSize
  case extents(Sign)
  case readAhead
  case tag
  case activation
  case permission
  case allocation
  case segmentType
  case cacheMode
  case cacheMetadataFormat
  case discards
  case mirrorLog
  case metadataType
  /// Of a PV: 0, 1 or 2.
  case metadataCopies
  case groupMetadataCopies
  /// One of the words between bars.
  case oneOf(String)
  /// Any text; what usage has in its place.
  case text(String)

  var isFlag: Bool {
    if case .flag = self { true } else { false }
  }

  /// Throws with LVM's reason, if it has one.
  func check(_ text: String) throws(InvalidOptionValue) {
    switch self {
    case .flag, .text: return
    case .bool: try require(text == "y" || text == "n")
    case .number: try require(Self.isNumber(text, .notNegative))
    case .signedNumber(let sign):
      try require(Self.isNumber(text, .any))
      try require(
        sign != .notNegative || !text.hasPrefix("-"), "Number may not be negative.")
    case .uint32:
      try require(Self.isNumber(text, .notNegative))
      try require(UInt32(text.drop { $0 == "+" }) != nil)
    case .size(let unit, let sign):
      try Self.check(try Self.size(text, unit).sign, sign, "Size")
    case .regionSize: try Self.checkRegionSize(text)
    case .extents(let sign): try Self.checkExtents(text, sign)
    case .readAhead:
      guard !["auto", "none"].contains(text.lowercased()) else { return }
      try require(try Self.size(text, "s").sign != .decrease)
    case .tag:
      let tag = text.hasPrefix("@") ? String(text.dropFirst()) : text
      try require(VolumeName.isValidTag(tag) && !tag.hasPrefix("-"))
    case .activation: try require(Self.activations.contains(text))
    case .permission: try require(["r", "rw", "wr"].contains(text))
    case .allocation:
      try require(
        text == "inherit" || AllocationPolicy(rawValue: text) != nil,
        "Unrecognised allocation policy \(text)")
    case .segmentType:
      try require(
        SegmentType(text).isKnown || text == "linear",
        "WARNING: Unrecognised segment type \(text)")
    case .cacheMode:
      try require(
        ["writethrough", "writeback", "passthrough"].contains(text.lowercased()),
        "Unknown cache mode: \(text).")
    case .cacheMetadataFormat:
      guard text != "auto" else { return }
      try require(Self.isNumber(text, .notNegative))
      try require(
        text == "0" || text == "1" || text == "2",
        "Selected cache metadata format \(text) is not supported.")
    case .discards:
      try require(
        ["passdown", "nopassdown", "ignore"].contains(text.lowercased()),
        "Thin pool discards type \"\(text)\" is unknown.")
    case .mirrorLog:
      try require(
        ["core", "disk", "mirrored"].contains(text), "Mirror log type \"\(text)\" is unknown.")
    case .metadataType: try require(text == "lvm2" || text == "text")
    case .metadataCopies: try require(["0", "1", "2"].contains(text))
    case .groupMetadataCopies:
      try require(
        ["all", "unmanaged"].contains(text.lowercased()) || Self.isNumber(text, .notNegative))
    case .oneOf(let words): try require(words.split(separator: "|").contains { $0 == text })
    }
  }

  /// What usage has in the place of the value; nil for flags.
  func placeholder(_ command: String) -> String? {
    switch self {
    case .flag: nil
    case .bool: "y|n"
    case .number, .uint32: "Number"
    case .signedNumber(let sign): Self.prefix(sign, command) + "Number"
    case .size(let unit, let sign):
      Self.prefix(unit == "k" ? .none : sign, command) + "Size[\(unit)|UNIT]"
    case .regionSize: "Size[m|UNIT]"
    case .extents(let sign): Self.prefix(sign, command) + "Number[PERCENT]"
    case .readAhead: "auto|none|Number"
    case .tag: "Tag"
    case .activation: "y|n|ay"
    case .permission: "rw|r"
    case .allocation: "contiguous|cling|cling_by_tags|normal|anywhere|inherit"
    case .segmentType:
      "linear|striped|snapshot|raid|mirror|thin|thin-pool|vdo|vdo-pool|cache|cache-pool|writecache"
    case .cacheMode: "writethrough|writeback|passthrough"
    case .cacheMetadataFormat: "auto|1|2"
    case .discards: "passdown|nopassdown|ignore"
    case .mirrorLog: "core|disk"
    case .metadataType: "lvm2"
    case .metadataCopies: "0|1|2"
    case .groupMetadataCopies: "all|unmanaged|Number"
    case .oneOf(let words), .text(let words): words
    }
  }

  /// lvcreate takes `+` for nothing, and does not tell.
  private static func prefix(_ sign: Sign, _ command: String) -> String {
    switch sign {
    case .none: ""
    case .notNegative: command == "lvcreate" ? "" : "[+]"
    case .notPositive: "[-]"
    case .any: "[+|-]"
    }
  }

  // MARK: - Numbers and sizes

  private func require(
    _ holds: Bool, _ reason: String? = nil
  ) throws(InvalidOptionValue) {
    guard holds else { throw InvalidOptionValue(reason: reason) }
  }

  private static func isNumber(_ text: String, _ sign: Sign) -> Bool {
    let digits =
      text.hasPrefix("+") || text.hasPrefix("-") && sign == .any
      ? text.utf8.dropFirst() : text.utf8[...]
    return !digits.isEmpty && digits.allSatisfy { (48...57).contains($0) }
      && UInt64(Substring(digits)) != nil
  }

  private static func size(
    _ text: String, _ unit: Unicode.Scalar
  ) throws(InvalidOptionValue) -> SizeArgument {
    do throws(InvalidSize) {
      return try SizeArgument(size: text, defaultUnit: unit)
    } catch {
      throw InvalidOptionValue(reason: error.message)
    }
  }

  private static func check(
    _ sign: SizeArgument.Sign, _ allowed: Sign, _ what: String
  ) throws(InvalidOptionValue) {
    switch (allowed, sign) {
    case (.none, .increase), (.none, .decrease):
      throw InvalidOptionValue(reason: "\(what) may not be relative/signed.")
    case (.notNegative, .decrease):
      throw InvalidOptionValue(reason: "\(what) may not be negative.")
    case (.notPositive, .increase):
      throw InvalidOptionValue(reason: "\(what) may not be positive.")
    default: return
    }
  }

  private static func checkExtents(_ text: String, _ sign: Sign) throws(InvalidOptionValue) {
    let argument: SizeArgument
    do throws(InvalidSize) {
      argument = try SizeArgument(extents: text)
    } catch {
      throw InvalidOptionValue(reason: error.message)
    }
    try check(argument.sign, sign, "Extents")
  }

  private static func checkRegionSize(_ text: String) throws(InvalidOptionValue) {
    let argument = try size(text, "m")
    guard argument.sign != .decrease, case .sectors(let sectors) = argument.amount else {
      throw InvalidOptionValue(reason: "Region size may not be negative.")
    }
    guard sectors <= UInt64(UInt32.max) else {
      throw InvalidOptionValue(reason: "Region size is too big (max \(UInt32.max)).")
    }
    guard sectors > 0 else { throw InvalidOptionValue(reason: "Region size may not be zero.") }
    guard sectors.isMultiple(of: 8) else {
      throw InvalidOptionValue(
        reason: "Region size must be a multiple of machine memory page size (4096 bytes).")
    }
    guard sectors.nonzeroBitCount == 1 else {
      throw InvalidOptionValue(reason: "Region size must be a power of 2.")
    }
  }

  private static let activations: Set<String> = [
    "e", "ey", "ye", "s", "sy", "ys", "y", "a", "ay", "ya", "n", "en", "ne", "ln", "nl", "ly", "yl",
  ]
}

/// Why a text is no value of an option.
struct InvalidOptionValue: Error, Sendable, Equatable {
  /// In LVM's words; nil where LVM says no more than which argument it is.
  let reason: String?
}
