/// Why the daemon could not do something, in words for an administrator.
public struct DaemonError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
