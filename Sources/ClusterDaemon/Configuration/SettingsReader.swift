import ConfigText

/// Takes settings out of a parsed text and remembers everything that was wrong with them, so that
/// an administrator sees all problems at once.
struct SettingsReader {
  private let text: ConfigSection
  private(set) var problems: [ConfigurationProblem] = []

  init(_ text: ConfigSection) {
    self.text = text
    for duplicate in text.duplicateNames {
      error(duplicate, "it is there more than once, and only the first one would count")
    }
    reportUnknownNames(in: text, path: [], known: Settings.paths.map { $0.split(separator: "/") })
  }

  mutating func error(_ place: String, _ message: String) {
    problems.append(ConfigurationProblem(severity: .error, place: place, message: message))
  }

  mutating func warning(_ place: String, _ message: String) {
    problems.append(ConfigurationProblem(severity: .warning, place: place, message: message))
  }

  /// The value or its default. Nil when it is optional and absent, or after a problem was noted.
  /// `node` takes the place of `*` in the path.
  mutating func value<Value>(of setting: Setting<Value>, node: String = "*") -> Value? {
    let path = setting.path(node: node)
    switch text.content(path) {
    case .value(let value)?:
      guard let value = Value(setting: value) else {
        error(path, "\(Value.form) is expected")
        return nil
      }
      return value
    case .section?:
      error(path, "\(Value.form) is expected, and not a section")
      return nil
    case nil:
      switch setting.presence {
      case .required:
        error(path, "it is missing")
        return nil
      case .optional: return nil
      case .standard(let value): return value
      }
    }
  }

  /// Whether the text has the setting, usable or not.
  func has(_ setting: Setting<some SettingValue>) -> Bool { text.content(setting.path) != nil }

  /// A number within `range`.
  mutating func number(
    _ setting: Setting<Int64>, in range: ClosedRange<Int64>, node: String = "*"
  ) -> Int64? {
    guard let number = value(of: setting, node: node) else { return nil }
    guard range.contains(number) else {
      let limits = "\(range.lowerBound) to \(range.upperBound)"
      error(setting.path(node: node), "\(number) is out of range: \(limits) is allowed")
      return nil
    }
    return number
  }

  mutating func port(_ setting: Setting<Int64>) -> UInt16? {
    number(setting, in: 1...65535).flatMap { UInt16(exactly: $0) }
  }

  /// One of the names of an enumeration.
  mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ setting: Setting<String>, of type: Choice.Type, node: String = "*"
  ) -> Choice? {
    guard let text = value(of: setting, node: node) else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    let names = Choice.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
    error(setting.path(node: node), "'\(text)' is unknown; known: \(names)")
    return nil
  }

  /// An absolute path that the kernel accepts as the name of a socket or file.
  mutating func path(_ setting: Setting<String>) -> String? {
    guard let path = value(of: setting) else { return nil }
    guard isAbsolute(path) else {
      error(setting.path, "'\(path)' is no absolute path")
      return nil
    }
    return path
  }

  /// A path that fits into the address of a unix socket with its terminating zero.
  mutating func socketPath(_ setting: Setting<String>) -> String? {
    guard let path = path(setting) else { return nil }
    guard path.utf8.count <= Self.socketPathBytesMax else {
      error(
        setting.path,
        "the path has \(path.utf8.count) bytes, and a unix socket's at most "
          + "\(Self.socketPathBytesMax)")
      return nil
    }
    return path
  }

  static let socketPathBytesMax = 107

  func isAbsolute(_ path: String) -> Bool {
    path.hasPrefix("/") && path != "/" && !path.utf8.contains(0)
  }

  /// The sections of the nodes, by name, in the order of the file.
  mutating func nodeNames() -> [String] {
    guard case .section? = text.content(Settings.nodes) else {
      error(Settings.nodes, "the section with the nodes of the cluster is missing")
      return []
    }
    return sectionNames(in: Settings.nodes)
  }

  /// The sections within the section at `path`, in the order of the file; none if there is no such.
  mutating func sectionNames(in path: String) -> [String] {
    guard case .section(let section)? = text.content(path) else { return [] }
    var names: [String] = []
    for entry in section.entries where !names.contains(entry.name) {
      switch entry.content {
      case .section: names.append(entry.name)
      case .value:
        error("\(path)/\(entry.name)", "a section is expected: \(entry.name) { … }")
      }
    }
    return names
  }

  // MARK: Unknown names

  /// `known` holds what may follow `path`.
  private mutating func reportUnknownNames(
    in section: ConfigSection, path: [String], known: [[Substring]]
  ) {
    for entry in section.entries {
      let place = (path + [entry.name]).joined(separator: "/")
      let matching = known.filter { $0.first == "*" || $0.first == Substring(entry.name) }
      guard !matching.isEmpty else {
        let candidates = Set(known.compactMap(\.first).map(String.init))
        let hint = nearest(to: entry.name, in: candidates).map { "; did you mean '\($0)'?" } ?? ""
        warning(place, "unknown and ignored\(hint)")
        continue
      }
      let inner = matching.map { Array($0.dropFirst()) }.filter { !$0.isEmpty }
      switch entry.content {
      case .section(let subsection) where !inner.isEmpty:
        reportUnknownNames(in: subsection, path: path + [entry.name], known: inner)
      case .value where !inner.isEmpty && matching.first?.first != "*":
        error(place, "a section is expected: \(entry.name) { … }")
      case .section, .value: break
      }
    }
  }
}

extension Setting {
  func path(node: String) -> String {
    path.split(separator: "/").map { $0 == "*" ? node : String($0) }.joined(separator: "/")
  }
}
