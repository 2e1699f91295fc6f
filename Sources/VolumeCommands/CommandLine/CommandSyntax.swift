/// What LVM takes for a command line of one of its commands.
struct CommandSyntax: Sendable {
  let command: String
  let forms: [CommandForm]

  /// Options that all commands have, whatever their form.
  static let commonOptions: Set<String> = [
    "commandprofile", "config", "debug", "devices", "devicesfile", "driverloaded", "help",
    "journal", "lockopt", "longhelp", "nohints", "nolocking", "profile", "quiet", "test",
    "verbose", "version", "yes",
  ]

  /// Those that only steer how LVM itself works.
  static let optionsWithoutEffect: Set<String> = [
    "driverloaded", "ignoremonitoring", "ignoreskippedcluster", "journal", "lockopt", "monitor",
    "nohistory", "noudevsync", "poll", "reportformat",
  ]

  /// Nil for commands that LVM does not have.
  init?(_ command: String) {
    guard let forms = Self.forms(of: command) else { return nil }
    (self.command, self.forms) = (command, forms)
  }

  private static func forms(of command: String) -> [CommandForm]? {
    switch command {
    case "lvcreate": CommandForm.lvcreate
    case "lvconvert": CommandForm.lvconvert
    case "lvchange": CommandForm.lvchange
    case "lvextend": CommandForm.lvextend
    case "lvreduce": CommandForm.lvreduce
    case "lvresize": CommandForm.lvresize
    case "lvrename": CommandForm.lvrename
    case "lvremove": CommandForm.lvremove
    case "vgcreate": CommandForm.vgcreate
    case "vgextend": CommandForm.vgextend
    case "vgreduce": CommandForm.vgreduce
    case "vgremove": CommandForm.vgremove
    case "vgrename": CommandForm.vgrename
    case "vgchange": CommandForm.vgchange
    case "vgck": CommandForm.vgck
    case "vgcfgbackup": CommandForm.vgcfgbackup
    case "vgcfgrestore": CommandForm.vgcfgrestore
    case "pvcreate": CommandForm.pvcreate
    case "pvremove": CommandForm.pvremove
    case "pvresize": CommandForm.pvresize
    case "pvchange": CommandForm.pvchange
    case "pvmove": CommandForm.pvmove
    case "lvmdevices": CommandForm.lvmdevices
    case "pvs": CommandForm.pvs
    case "vgs": CommandForm.vgs
    case "lvs": CommandForm.lvs
    case "fullreport": CommandForm.fullreport
    case "pvdisplay": CommandForm.pvdisplay
    case "vgdisplay": CommandForm.vgdisplay
    case "lvdisplay": CommandForm.lvdisplay
    case "pvscan": CommandForm.pvscan
    case "vgscan": CommandForm.vgscan
    case "lvscan": CommandForm.lvscan
    default: nil
    }
  }

  /// `-l` says the same as `-L` in these.
  private static let sizingCommands: Set<String> = ["lvcreate", "lvextend", "lvreduce", "lvresize"]

  /// All options that some form takes, and older names for them, in LVM's order.
  var options: [OptionSpecification] {
    var names = Set(forms.flatMap(\.optionNames)).union(Self.commonOptions)
    if names.contains("size"), Self.sizingCommands.contains(command) { names.insert("extents") }
    return OptionSpecification.all(of: command) {
      names.contains(OptionSpecification.standardName($0, command: command))
    }
  }

  // MARK: - Which form a command line has

  /// How well a form fits.
  private struct Match {
    var form: CommandForm
    /// Of what the form requires, and one for the command's name.
    var requiredCount: Int
    var hasType: Bool
    /// Options given that the form does not take.
    var unknown: [String]

    func isBetter(than other: Match?) -> Bool {
      guard let other else { return true }
      return requiredCount > other.requiredCount && unknown.isEmpty
        || unknown.count < other.unknown.count || hasType && !other.hasType
    }
  }

  /// The form that comes nearest, of those that lack something.
  private struct NearMiss {
    var form: CommandForm
    var optionCount: Int
    var hasType: Bool
  }

  /// Finds the form, and throws unless it takes all that is given.
  func check(_ arguments: CommandArguments) throws(CommandLineError) {
    try check(try match(arguments), arguments)
  }

  /// The types of LVs that a command line's form takes; empty for all.
  func volumeTypes(_ arguments: CommandArguments) -> [Substring] {
    (try? match(arguments))?.form.volumeTypes ?? []
  }

  private func match(_ arguments: CommandArguments) throws(CommandLineError) -> Match {
    var best: Match?
    var nearest: NearMiss?
    for form in forms {
      if form.required.isEmpty, form.alternatives.isEmpty, !form.operands.names.isEmpty,
        command == "lvconvert", arguments.inOrder.contains(where: { $0.name != "verbose" })
      {
        continue
      }
      if let type = arguments.value("type"), !form.mayHave(type: type) { continue }
      let matched = form.required.filter { isGiven($0, arguments) }
      let hasType = matched.contains { $0.name == "type" }
      let operandCount = form.operands.names.indices.count { hasOperand($0, form, arguments) }
      let lacks =
        matched.count < form.required.count || operandCount < form.operands.names.count
        || !form.alternatives.isEmpty && !form.alternatives.contains { isGiven($0, arguments) }
      guard !lacks else {
        let before = nearest ?? NearMiss(form: form, optionCount: 0, hasType: false)
        if hasType && !before.hasType
          || hasType == before.hasType && matched.count > before.optionCount
        {
          nearest = NearMiss(form: form, optionCount: matched.count, hasType: hasType)
        }
        continue
      }
      let needs = form.required.count + form.operands.names.count
      let required = needs == 0 ? 1 : matched.count + operandCount + 1
      let match = Match(
        form: form, requiredCount: required, hasType: hasType, unknown: unknown(form, arguments))
      if match.isBetter(than: best) { best = match }
    }
    guard let best else { throw noForm(nearest?.form) }
    return best
  }

  private func noForm(_ nearest: CommandForm?) -> CommandLineError {
    var error = CommandLineError.noSyntax(command)
    if forms.count == 1 {
      error.messages.append("Correct command syntax is:")
      error.usage = forms[0].usage(command)
    } else if let nearest {
      error.messages.append("Nearest similar command has syntax:")
      error.usage = nearest.usage(command)
    }
    return error
  }

  private func isGiven(_ option: CommandForm.Option, _ arguments: CommandArguments) -> Bool {
    if let value = arguments.value(option.name) { return option.fits(value) }
    return option.name == "size" && Self.sizingCommands.contains(command)
      && arguments.has("extents")
  }

  private func hasOperand(
    _ index: Int, _ form: CommandForm, _ arguments: CommandArguments
  ) -> Bool {
    if arguments.positional.count > index { return true }
    let kinds = form.operands.names[index].split(separator: "|")
    if kinds.contains("Select"), arguments.has("select") { return true }
    // An option may name the group.
    return command == "lvcreate" && index == 0 && kinds.contains("VG")
      && ["name", "thinpool", "cachepool", "vdopool"].contains {
        arguments.value($0)?.contains("/") == true
      }
  }

  private func unknown(_ form: CommandForm, _ arguments: CommandArguments) -> [String] {
    arguments.optionNames.filter {
      $0 != "extents" && !Self.commonOptions.contains($0) && OptionSpecification.named($0) != nil
        && !form.accepts($0, value: arguments.value($0) ?? "")
    }
  }

  private func check(_ match: Match, _ arguments: CommandArguments) throws(CommandLineError) {
    guard match.unknown.isEmpty else {
      throw CommandLineError(
        match.unknown.map { name in
          // Of one that may stand several times LVM does not tell the value.
          let repeats = OptionSpecification.named(name)?.repeats ?? false
          let value = repeats ? "" : arguments.value(name) ?? ""
          return "Command does not accept option: --\(name)\(value.isEmpty ? "" : " \(value)")."
        })
    }
    let form = match.form
    if !form.operands.isRepeated, !form.optionalOperands.isRepeated {
      let most = form.operands.names.count + form.optionalOperands.names.count
      guard arguments.positional.count <= most else {
        throw CommandLineError("Command does not accept argument: \(arguments.positional[most]).")
      }
    }
    for (options, others) in form.exclusions
    where options.contains(where: { arguments.has(String($0)) })
      && others.contains(where: { arguments.has(String($0)) })
    {
      // LVM has a blank behind each.
      let left = options.map { "--\($0) " }.joined()
      let right = others.map { "--\($0) " }.joined()
      throw CommandLineError("Command does not accept option combination: \(left) with \(right)")
    }
  }
}
