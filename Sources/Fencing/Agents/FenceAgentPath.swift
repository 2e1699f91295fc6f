import Glibc

/// Where agents are found.
public enum FenceAgentPath {
  /// fence-agents' own folders.
  public static let directories = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]

  /// The absolute path of a program that may be run as root: an ordinary file that only root can
  /// change. `directories` is for names without a slash.
  public static func resolve(
    _ name: String, in directories: [String] = directories
  ) throws(FenceInputError) -> String {
    let candidates = name.hasPrefix("/") ? [name] : directories.map { "\($0)/\(name)" }
    for path in candidates {
      var status = stat()
      guard stat(path, &status) == 0 else { continue }
      guard status.st_mode & S_IFMT == S_IFREG, access(path, X_OK) == 0 else {
        throw FenceInputError(description: "\(path) is not an executable file")
      }
      guard status.st_uid == 0 || status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
        throw FenceInputError(
          description: "\(path) can be changed by others than root, so it is not run as root")
      }
      return path
    }
    throw FenceInputError(
      description: name.hasPrefix("/")
        ? "\(name) does not exist"
        : "no program '\(name)' in \(directories.joined(separator: ", ")); is the package "
          + "fence-agents installed?")
  }
}
