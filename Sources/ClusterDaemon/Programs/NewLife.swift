import CLinux
import Glibc

/// `clvmd -S`: the process becomes the daemon anew, from the program as it is installed now, and
/// keeps its process id. Nothing is given up; the new life takes up what the old one held.
public enum NewLife {
  /// Tells the new life whether the old one was in the background.
  private static let variable = "CLVMD_NEW_LIFE"

  public enum Place: String, Sendable {
    case foreground
    case background
  }

  /// Where the earlier life of this process was; nil in a process of its own. To be called once,
  /// before any thread is started.
  public static func takeUp() -> Place? {
    guard let text = getenv(variable).map({ String(cString: $0) }) else { return nil }
    unsetenv(variable)
    return Place(rawValue: text)
  }

  /// A process that has started itself through /proc/self/exe would be called `exe`; whoever looks for
  /// the daemon by its name must find it all the same.
  public static func keepName(_ name: String) { clinux_name_process(name) }

  /// Never returns normally. The program is `LVM_CLVMD_BINARY`, which is searched for as a shell does,
  /// or the one that was started; the very file that runs if that cannot be executed any more.
  public static func begin(in place: Place) throws(DaemonError) -> Never {
    let path =
      getenv("LVM_CLVMD_BINARY").map { String(cString: $0) }
      ?? String(cString: clinux_program_path())
    setenv(variable, place.rawValue, 1)
    let arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
    execvp(path, arguments)
    let reason = String(cString: strerror(errno))
    execv("/proc/self/exe", arguments)
    for argument in arguments { free(argument) }
    throw DaemonError("cannot start \(path): \(reason)")
  }
}
