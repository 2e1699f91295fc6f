/// Lookups by path, names separated by `/`. The first entry of a name wins, as in LVM.
extension ConfigSection {
  /// The first entry at `path`, or nil.
  public func content(_ path: String) -> ConfigEntry.Content? {
    var section = self
    var rest = Substring(path)
    while let slash = rest.firstIndex(of: "/") {
      guard let next = section.firstContent(named: rest[..<slash]),
        case .section(let inner) = next
      else { return nil }
      section = inner
      rest = rest[rest.index(after: slash)...]
    }
    return section.firstContent(named: rest)
  }

  private func firstContent(named name: Substring) -> ConfigEntry.Content? {
    entries.first { $0.name == name }?.content
  }

  public func section(_ path: String) -> ConfigSection? {
    guard case .section(let section)? = content(path) else { return nil }
    return section
  }

  public func value(_ path: String) -> ConfigValue? {
    guard case .value(let value)? = content(path) else { return nil }
    return value
  }

  /// The text at `path`; of a list, its first item. Nil when absent, not a string or not UTF-8.
  public func string(_ path: String) -> String? { value(path)?.asString }

  /// The integer at `path`; of a list, its first item. Nil when absent or not an integer.
  public func integer(_ path: String) -> Int64? { value(path)?.asInteger }

  /// The list at `path`; a scalar counts as a list of one item.
  public func list(_ path: String) -> [ConfigValue]? { value(path)?.asList }

  /// The list at `path` when all its items are strings; a single string counts as a list.
  public func strings(_ path: String) -> [String]? { value(path)?.asStrings }

  /// Paths of entries that are hidden by an earlier entry of the same name in their section.
  public var duplicateNames: [String] {
    var duplicates: [String] = []
    var seen: Set<String> = []
    for entry in entries {
      if !seen.insert(entry.name).inserted { duplicates.append(entry.name) }
      if case .section(let inner) = entry.content {
        duplicates += inner.duplicateNames.map { "\(entry.name)/\($0)" }
      }
    }
    return duplicates
  }
}

extension ConfigValue {
  /// A list where a scalar is expected stands for its first item.
  private var scalar: ConfigValue? {
    if case .list(let items) = self { items.first } else { self }
  }

  public var asString: String? {
    if case .string(let text)? = scalar { text } else { nil }
  }

  public var asInteger: Int64? {
    if case .integer(let number)? = scalar { number } else { nil }
  }

  public var asList: [ConfigValue] {
    if case .list(let items) = self { items } else { [self] }
  }

  /// Nil when an item is not a string.
  public var asStrings: [String]? {
    var texts: [String] = []
    for item in asList {
      guard case .string(let text) = item else { return nil }
      texts.append(text)
    }
    return texts
  }
}
