/// Which block devices LVM may look at: the `filter` and `global_filter` of lvm.conf.
///
/// A pattern is `a` (accept) or `r` (reject) and a regular expression between two equal delimiters
/// or brackets: `a|^/dev/sd|`, `r{.*}`. Every name of a device is held against the patterns in
/// order and the first that matches decides about that name. A device is accepted if one of its
/// names is, rejected if one of its names is rejected and none accepted, and accepted otherwise.
public struct DeviceFilter: Sendable {
  fileprivate enum Verdict {
    case accept
    case reject
  }

  private struct Pattern: Sendable {
    let verdict: Verdict
    let expression: String
  }

  private let patterns: [Pattern]

  public static let acceptingAll = DeviceFilter()

  private init() { patterns = [] }

  /// Throws for a pattern that does not have that form.
  public init(patterns texts: [String]) throws(DeviceFilterError) {
    var patterns: [Pattern] = []
    for text in texts { patterns.append(try Self.parse(text)) }
    self.patterns = patterns
  }

  private static func parse(_ text: String) throws(DeviceFilterError) -> Pattern {
    let verdict: Verdict
    switch text.first {
    case "a": verdict = .accept
    case "r": verdict = .reject
    default: throw DeviceFilterError(pattern: text, problem: "it must start with a or r")
    }
    let quoted = text.dropFirst()
    guard let opening = quoted.first else {
      throw DeviceFilterError(pattern: text, problem: "the expression is missing")
    }
    let closing: Character =
      switch opening {
      case "(": ")"
      case "[": "]"
      case "{": "}"
      default: opening
      }
    guard quoted.count >= 2, quoted.last == closing else {
      throw DeviceFilterError(pattern: text, problem: "it must end with \(closing)")
    }
    let expression = String(quoted.dropFirst().dropLast())
    guard (try? Regex(expression)) != nil else {
      throw DeviceFilterError(pattern: text, problem: "the regular expression is wrong")
    }
    return Pattern(verdict: verdict, expression: expression)
  }

  /// The filter ready for use; it is made once for many devices because that takes time.
  public func matcher() -> Matcher {
    Matcher(
      rules: patterns.map { pattern in
        guard let regex = try? Regex(pattern.expression) else {
          preconditionFailure("\(pattern.expression) was compiled when the filter was made")
        }
        return (pattern.verdict, regex.matchingSemantics(.unicodeScalar))
      })
  }

  /// A filter with its expressions compiled. Unlike the filter it cannot be shared by threads.
  public struct Matcher {
    fileprivate let rules: [(verdict: Verdict, regex: Regex<AnyRegexOutput>)]

    /// The name under which a device is accepted, given all its names; nil when it is rejected or
    /// has none.
    public func acceptedName(among names: [String]) -> String? {
      var isRejected = false
      for name in names {
        switch rules.first(where: { name.firstMatch(of: $0.regex) != nil })?.verdict {
        case .accept: return name
        case .reject: isRejected = true
        case nil: break
        }
      }
      return isRejected ? nil : names.first
    }
  }
}

/// A pattern that is no filter pattern.
public struct DeviceFilterError: Error, Equatable, Sendable, CustomStringConvertible {
  public let pattern: String
  public let problem: String

  public var description: String { "device filter \"\(pattern)\": \(problem)" }
}
