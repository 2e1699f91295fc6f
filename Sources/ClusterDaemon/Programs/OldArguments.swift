/// The command line of LVM 2.02's clvmd in a form that an ordinary parser reads.
///
/// Its getopt took `-d` with and without a level, and left a level in the next word lying about; so
/// test rigs write `-d`, `-d2`, `-d 1`, and `-d2 1` (clvmd-socket spec, section 15).
public enum OldArguments {
  /// Joins the level to every `-d`, and drops a stray one behind it.
  ///
  /// - Parameter arguments: without the program's name.
  public static func normalized(_ arguments: [String]) -> [String] {
    var result: [String] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard isDebugOption(argument) else {
        result.append(argument)
        continue
      }
      let next = rest.first.flatMap { isLevel($0) ? $0 : nil }
      if next != nil { rest.removeFirst() }
      result.append(argument == "-d" ? "-d\(next ?? "1")" : argument)
    }
    return result
  }

  private static func isDebugOption(_ argument: String) -> Bool {
    argument == "-d" || argument.hasPrefix("-d") && isLevel(argument.dropFirst(2))
  }

  private static func isLevel(_ text: some StringProtocol) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }
}
