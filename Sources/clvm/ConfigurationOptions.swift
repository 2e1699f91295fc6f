import ArgumentParser
import LVMSystemDirectory

/// What a command line may say about LVM's configuration.
struct ConfigurationOptions: ParsableArguments {
  @Option(help: "Settings that go before those of lvm.conf.")
  var config: String?

  @Option(
    name: [.long, .customLong("profile")],
    help: "A profile, whose settings go before those of lvm.conf.")
  var commandprofile: String?

  func configuration() throws -> LVMConfiguration {
    try LVMConfiguration(config: config, commandProfile: commandprofile)
  }
}
