/// What becomes of the profile from which a group or an LV takes settings.
struct ProfileChange: Sendable, Equatable {
  /// Nil for none: an LV has its group's then.
  var name: String?
}

extension CommandArguments {
  /// The name of the profile to attach; which file it has, the shell has looked at.
  var metadataProfile: String? { value("metadataprofile") ?? value("profile") }

  /// `--metadataprofile`, `--profile` or `--detachprofile`; nil for none of them.
  var profileChange: ProfileChange? {
    if has("detachprofile") { return ProfileChange(name: nil) }
    return metadataProfile.map { ProfileChange(name: $0) }
  }
}

extension CommandLineError {
  /// All options that are given only steer how LVM itself works, or are another form's.
  static func notDone(_ arguments: CommandArguments) -> CommandLineError {
    for name in ["monitor", "poll"] where arguments.has(name) {
      return CommandLineError(
        "clvm \(arguments.command) does not do --\(name): use LVM's own \(arguments.command).")
    }
    return noSyntax(arguments.command)
  }
}
