import ConfigText
import Glibc
import KernelLockspaces

/// Where the configuration comes from on a real machine.
public enum ConfigurationFile {
  public static let standardPath = "/etc/lvm/clvmd.conf"

  /// Reads and checks the file; that it cannot be read is a problem like any other.
  public static func check(path: String = standardPath) -> ConfigurationCheck {
    do {
      let text = try HostKernelFiles().read(path)
      return DaemonConfiguration.check(text, hostName: hostName())
    } catch {
      let hint = error.errno == ENOENT ? "; clvmd.conf(5) describes it" : ""
      let problem = ConfigurationProblem(
        severity: .error, place: path, message: "\(error)\(hint)")
      return ConfigurationCheck(configuration: nil, problems: [problem])
    }
  }

  /// The other stack's file from which the configuration takes its nodes; nil when there is none,
  /// or the configuration cannot be read.
  public static func importedPath(path: String = standardPath) -> String? {
    guard let text = try? HostKernelFiles().read(path),
      let section = try? ConfigSection(parsing: text, limits: DaemonConfiguration.limits)
    else { return nil }
    return section.string(Settings.nodesFrom.path)
  }

  /// This machine's host name; empty when the kernel does not tell it.
  public static func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

extension ConfigurationProblem: Error {}
