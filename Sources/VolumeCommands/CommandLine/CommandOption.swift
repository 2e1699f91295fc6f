import LVMMetadata

/// An option of a command, as LVM spells it.
public struct CommandOption: Sendable, Equatable {
  /// Without the dashes.
  public var name: String
  public var letter: Character?
  public var takesValue: Bool
  /// One line for the help.
  public var help: String

  public init(name: String, letter: Character?, takesValue: Bool, help: String) {
    self.name = name
    self.letter = letter
    self.takesValue = takesValue
    self.help = help
  }

  public static func flag(
    _ name: String, _ letter: Character? = nil, _ help: String
  ) -> CommandOption {
    CommandOption(name: name, letter: letter, takesValue: false, help: help)
  }

  public static func value(
    _ name: String, _ letter: Character? = nil, _ help: String
  ) -> CommandOption {
    CommandOption(name: name, letter: letter, takesValue: true, help: help)
  }

  public static let select = value("select", "S", "Only those for which this holds; see clvm lvs.")

  /// Settings that a group or an LV takes from a profile.
  static let profileOptions: [CommandOption] = [
    .value("metadataprofile", nil, "Attach the profile of this name."),
    .flag("detachprofile", nil, "Detach the profile."),
  ]

  /// What every command takes. Those that only steer how LVM itself works have no effect here.
  public static let commonOptions: [CommandOption] = [
    .value("devices", nil, "Only use these devices, separated by commas; NAME=FILE."),
    .flag("yes", "y", "Do not ask."),
    .flag("test", "t", "Decide everything, change nothing."),
    .value("devicesfile", nil, "The devices file; empty for none."),
    .value("config", nil, "Settings of lvm.conf for this command."),
    .value("commandprofile", nil, "A profile with settings for this command."),
    .value("profile", nil, "The same."),
    .value("autobackup", "A", "y or n: write a backup of the metadata afterwards."),
    .flag("quiet", "q", "No effect."), .flag("verbose", "v", "No effect."),
    .flag("debug", "d", "No effect."), .flag("noudevsync", nil, "No effect."),
    .flag("nolocking", nil, "Lock nothing: no other command may be at work."),
    .flag("nohints", nil, "No effect."), .flag("help", "h", "Show the options."),
    .value("socket", nil, "The daemon's admin socket."),
  ]
}

/// A wrong command line: nothing has been looked at.
public struct CommandLineError: Error, Sendable, Equatable, CustomStringConvertible {
  public var messages: [String]
  /// How the command line should have looked; LVM prints it on standard output.
  public var usage: String?
  /// LVM's exit status.
  public var status: Int32 = 3

  public init(_ messages: String...) { self.messages = messages }

  init(_ messages: [String]) { self.messages = messages }

  public var description: String { messages.joined(separator: " ") }

  /// An option that cannot have the value.
  public static func invalidArgument(_ option: String, _ value: String) -> CommandLineError {
    invalidArgument(option, value, nil)
  }

  static func invalidArgument(
    _ option: String, _ value: String, because reason: InvalidSize
  ) -> CommandLineError {
    invalidArgument(option, value, reason.message)
  }

  /// - Parameter reason: what LVM says before that, if anything.
  static func invalidArgument(
    _ option: String, _ value: String, _ reason: String?
  ) -> CommandLineError {
    CommandLineError(
      [
        reason, "Invalid argument for --\(option): \(value)",
        "Error during parsing of command line.",
      ].compactMap { $0 })
  }
}

/// What the values of options mean.
extension CommandArguments {
  /// `y` or `n`.
  public func bool(_ name: String) throws(CommandLineError) -> Bool? {
    guard let text = value(name) else { return nil }
    switch text {
    case "y": return true
    case "n": return false
    default: throw .invalidArgument(name, text)
    }
  }

  public func number(_ name: String, in range: ClosedRange<Int>) throws(CommandLineError) -> Int? {
    guard let text = value(name) else { return nil }
    // As in LVM, what is too large for a C int is the largest one.
    let most = max(Int(Int32.max), range.upperBound)
    guard let number = UInt64(text.drop { $0 == "+" }).map({ min(Int(clamping: $0), most) }),
      range.contains(number)
    else { throw .invalidArgument(name, text) }
    return number
  }

  /// A size in sectors; `unit` is meant when none is given.
  public func size(_ name: String, unit: Unicode.Scalar) throws(CommandLineError) -> UInt64? {
    guard let text = value(name) else { return nil }
    let size = try Self.sizeArgument(name, text, unit: unit)
    guard size.sign != .decrease, case .sectors(let sectors) = size.amount else {
      throw .invalidArgument(name, text)
    }
    return sectors
  }

  static func sizeArgument(
    _ name: String, _ text: String, unit: Unicode.Scalar = "m"
  ) throws(CommandLineError) -> SizeArgument {
    do throws(InvalidSize) {
      return try SizeArgument(size: text, defaultUnit: unit)
    } catch {
      throw .invalidArgument(name, text, because: error)
    }
  }

  /// Throws with LVM's words on each of the options that says zero.
  func refuseZero(_ names: [String]) throws(CommandLineError) {
    func isZero(_ size: SizeArgument?) -> Bool {
      switch size?.amount {
      case .sectors(0)?, .extents(0)?, .percentage(0, _)?: true
      case .sectors?, .extents?, .percentage?, nil: false
      }
    }
    let zeros = names.filter { name in
      guard let text = value(name) else { return false }
      return switch name {
      case "extents": isZero(try? SizeArgument(extents: text))
      case "stripes": Int(text) == 0
      default: isZero(try? SizeArgument(size: text))
      }
    }
    guard zeros.isEmpty else {
      throw CommandLineError(
        zeros.map { "--\($0) may not be zero." } + [
          "Run `\(command) --help' for more information."
        ])
    }
  }

  /// `-i` and `-I`, the latter in KiB if no unit is given.
  func stripes(_ command: String) throws(CommandLineError) -> (count: Int?, sectors: UInt64?) {
    let count = try number("stripes", in: 0...Int(Int32.max))
    if let count, !(1...128).contains(count) {
      throw .usage(command, "Number of stripes (\(count)) must be between 1 and 128.")
    }
    let sectors = try size("stripesize", unit: "k")
    guard sectors != 0 else { throw .usage(command, "--stripesize may not be zero.") }
    if let sectors, sectors < 8 || sectors.nonzeroBitCount != 1 {
      throw .usage(command, "Invalid stripe size \(DisplayUnit.message(sectors: sectors)).")
    }
    return (count, sectors)
  }

  public func allocationPolicy() throws(CommandLineError) -> AllocationChoice? {
    let contiguous = try bool("contiguous")
    guard let text = value("alloc") else {
      return contiguous.map { $0 ? .policy(.contiguous) : .inherit }
    }
    guard contiguous != true || text == "contiguous" else {
      throw CommandLineError(
        "Conflicting contiguous and alloc arguments.",
        "Run `\(command) --help' for more information.")
    }
    if text == "inherit" { return .inherit }
    guard let policy = AllocationPolicy(rawValue: text) else {
      throw .invalidArgument("alloc", text, "Unrecognised allocation policy \(text)")
    }
    // LVM has one policy with two names.
    return .policy(policy == .clingByTags ? .cling : policy)
  }
}

/// The value of `--alloc`.
public enum AllocationChoice: Sendable, Equatable {
  case policy(AllocationPolicy)
  /// The volume group's.
  case inherit

  var policy: AllocationPolicy? {
    switch self {
    case .policy(let policy): policy
    case .inherit: nil
    }
  }
}
