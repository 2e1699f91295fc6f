import ArgumentParser
import LVMSystemDirectory

/// What a command line may say about LVM's configuration.
struct ConfigurationOptions: ParsableArguments {
  @Option(name: .long, help: "Settings that go before those of lvm.conf.")
  var config: String?

  @Option(
    name: [.long, .customLong("profile")],
    help: "A profile, whose settings go before those of lvm.conf.")
  var commandprofile: String?

  func configuration() throws -> LVMConfiguration {
    do throws(LVMConfigurationError) {
      return try LVMConfiguration(override: config, commandProfile: commandprofile)
    } catch {
      guard error.source != "--config" else {
        throw CommandFailure(
          error.problem, "Failed to set overridden configuration entries.",
          status: .invalidCommandLine)
      }
      throw CommandFailure(error.description)
    }
  }
}
