import Glibc

/// Where device nodes are: `/dev`, or, as for LVM, what `DM_DEV_DIR` in the environment says.
public enum DeviceDirectory {
  /// An absolute path without a slash at its end.
  public static let path = path(in: getenv("DM_DEV_DIR").map { String(cString: $0) })

  /// - Parameter variable: the environment variable's value, which LVM ignores unless it is absolute.
  static func path(in variable: String?) -> String {
    guard var text = variable, text.hasPrefix("/") else { return "/dev" }
    while text.count > 1, text.hasSuffix("/") { text.removeLast() }
    return text
  }
}
