/// Why the daemon could not do something, in words for an administrator.
public struct DaemonError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
  /// Another daemon serves already where this one was to serve.
  public let isAlreadyRunning: Bool

  public init(_ description: String, isAlreadyRunning: Bool = false) {
    self.description = description
    self.isAlreadyRunning = isAlreadyRunning
  }
}
