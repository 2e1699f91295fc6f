/// Building and changing texts.
extension ConfigSection {
  /// Adds `name = value` at the end, whether or not the name exists.
  public mutating func append(_ name: String, _ value: ConfigValue) {
    entries.append(ConfigEntry(name: name, content: .value(value)))
  }

  /// Adds `name { … }` at the end, whether or not the name exists.
  public mutating func append(_ name: String, _ section: ConfigSection) {
    entries.append(ConfigEntry(name: name, content: .section(section)))
  }

  /// Makes `value` what a lookup of `path` finds; sections on the way are made when missing.
  public mutating func set(_ path: String, _ value: ConfigValue) {
    set(path: Self.names(of: path)[...], .value(value))
  }

  /// Makes `section` what a lookup of `path` finds; sections on the way are made when missing.
  public mutating func set(_ path: String, _ section: ConfigSection) {
    set(path: Self.names(of: path)[...], .section(section))
  }

  /// Removes every entry that a lookup of `path` could find, hidden duplicates included.
  public mutating func remove(_ path: String) {
    remove(path: Self.names(of: path)[...])
  }

  private static func names(of path: String) -> [String] {
    path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
  }

  private mutating func set(path: ArraySlice<String>, _ content: ConfigEntry.Content) {
    guard let name = path.first else { return }
    let index = entries.firstIndex { $0.name == name }
    guard path.count > 1 else {
      if let index {
        entries[index].content = content
      } else {
        entries.append(ConfigEntry(name: name, content: content))
      }
      return
    }
    var inner = ConfigSection()
    if let index, case .section(let existing) = entries[index].content { inner = existing }
    inner.set(path: path.dropFirst(), content)
    set(path: [name], .section(inner))
  }

  private mutating func remove(path: ArraySlice<String>) {
    guard let name = path.first else { return }
    guard path.count > 1 else {
      entries.removeAll { $0.name == name }
      return
    }
    for index in entries.indices where entries[index].name == name {
      guard case .section(var inner) = entries[index].content else { continue }
      inner.remove(path: path.dropFirst())
      entries[index].content = .section(inner)
    }
  }
}
