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

  /// Never returns normally. The program is `LVM_CLVMD_BINARY`, or the one that runs.
  public static func begin(in place: Place) throws(DaemonError) -> Never {
    let path = getenv("LVM_CLVMD_BINARY").map { String(cString: $0) } ?? "/proc/self/exe"
    setenv(variable, place.rawValue, 1)
    let arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
    execv(path, arguments)
    let reason = String(cString: strerror(errno))
    for argument in arguments { free(argument) }
    throw DaemonError("cannot start \(path): \(reason)")
  }
}
