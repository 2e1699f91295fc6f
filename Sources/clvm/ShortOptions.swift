/// Short options of the reports that stand behind one hyphen, as getopt reads them: in `-aoname` the
/// `o` takes the rest for its value.
enum ShortOptions {
  private static let reports: Set<String> = [
    "pvs", "vgs", "lvs", "fullreport", "pvdisplay", "vgdisplay", "lvdisplay",
  ]
  private static let withValue: Set<Character> = ["o", "O", "S"]
  private static let longWithValue: Set<String> = [
    "--options", "--sort", "--select", "--units", "--separator", "--reportformat", "--devices",
    "--devicesfile", "--config", "--profile", "--commandprofile",
  ]

  /// The arguments with a hyphen for each option, `-a -oname`.
  static func separated(_ arguments: some Collection<String>) -> [String] {
    guard let command = arguments.first, reports.contains(command) else {
      return Array(arguments)
    }
    var output: [String] = []
    var isValue = false
    var isBehindOptions = false
    for argument in arguments {
      if isValue || isBehindOptions || !argument.hasPrefix("-") || argument.hasPrefix("--") {
        isBehindOptions = isBehindOptions || !isValue && argument == "--"
        isValue = !isValue && !isBehindOptions && longWithValue.contains(argument)
        output.append(argument)
        continue
      }
      var rest = argument.dropFirst()
      while let letter = rest.popFirst() {
        guard withValue.contains(letter) else {
          output.append("-\(letter)")
          continue
        }
        output.append("-\(letter)\(rest)")
        isValue = rest.isEmpty
        break
      }
      if argument == "-" { output.append(argument) }
    }
    return output
  }
}
