// Whether a device serves already what is planned for it. LVM compares the texts of tables, and so
// reloads needlessly where the kernel reports one in other words (dm-activation, section 3). A
// reload suspends a volume on all nodes: here the kernel's ways of reporting are known.

extension DeviceTable {
  /// True when loading `planned` would change nothing.
  func serves(_ planned: DeviceTable) -> Bool {
    if self == planned { return true }
    guard lines.count == planned.lines.count else { return false }
    return zip(lines, planned.lines).allSatisfy { live, planned in
      live.start == planned.start && live.length == planned.length
        && live.target.serves(planned.target)
    }
  }
}

extension TableTarget {
  fileprivate func serves(_ planned: TableTarget) -> Bool {
    if self == planned { return true }
    guard case .opaque(let type, let parameters) = self,
      case .opaque(type, let plannedParameters) = planned
    else { return false }
    let live = parameters.split(separator: " ")
    let wanted = plannedParameters.split(separator: " ")
    return switch type {
    case "raid":
      if let live = RAIDParameters(live), let wanted = RAIDParameters(wanted) {
        live.serves(wanted)
      } else {
        false
      }
    case "integrity": Self.integrityCore(live) == Self.integrityCore(wanted)
    case "mirror": Self.mirrorCore(live) == Self.mirrorCore(wanted)
    case "cache": Self.cacheCore(live) == Self.cacheCore(wanted)
    default: false
    }
  }

  /// Origin, offset, tag size and mode, and the options that decide about the format: the kernel
  /// adds its defaults for the rest.
  private static func integrityCore(_ words: [Substring]) -> [Substring]? {
    guard words.count > 4 else { return nil }
    let options = words.dropFirst(5).filter {
      $0.hasPrefix("internal_hash:") || $0.hasPrefix("meta_device:")
    }
    return words.prefix(4) + options.sorted()
  }

  /// Without what the log was told once, and the count of the log's arguments, which counts that.
  private static func mirrorCore(_ words: [Substring]) -> [Substring] {
    words.prefix(1) + words.dropFirst(2).filter { $0 != "nosync" && $0 != "sync" }
  }

  /// The kernel's mq is its smq, and its default threshold need not be told.
  private static func cacheCore(_ words: [Substring]) -> [Substring] {
    var words = words.map { $0 == "mq" ? "smq" : $0 }
    if words.suffix(3) == ["2", "migration_threshold", "2048"] {
      words.removeLast(3)
      words.append("0")
    }
    return words
  }
}

/// What the parameters of a RAID target say, whatever their order.
private struct RAIDParameters {
  private let level: Substring
  private let stripeSize: Substring
  private let options: [String]
  private let devices: [Substring]
  /// Words that only tell the kernel what to do once, when the table is loaded.
  private let orders: [String]
  private let writeBehind: Substring?

  init?(_ words: [Substring]) {
    guard words.count > 3, let count = Int(words[1]), count > 0, words.count > count + 2 else {
      return nil
    }
    level = words[0]
    stripeSize = words[2]
    devices = Array(words[(2 + count)...])
    var options: [String] = []
    var orders: [String] = []
    var writeBehind: Substring?
    var rest = words[3..<(2 + count)]
    while let word = rest.popFirst() {
      if word == "sync" || word == "nosync" { continue }
      guard let value = rest.popFirst() else { return nil }
      switch word {
      case "rebuild", "delta_disks", "data_offset": orders.append("\(word) \(value)")
      case "max_write_behind": writeBehind = value
      default: options.append("\(word) \(value)")
      }
    }
    self.options = options.sorted()
    self.orders = orders
    self.writeBehind = writeBehind
  }

  /// Orders that were carried out may still be reported. The write-behind of a bitmap that the
  /// kernel does not use is reported as 0.
  func serves(_ planned: RAIDParameters) -> Bool {
    level == planned.level && stripeSize == planned.stripeSize && options == planned.options
      && devices == planned.devices && planned.orders.allSatisfy { orders.contains($0) }
      && (writeBehind == planned.writeBehind || writeBehind == "0")
  }
}
