/// Why a cluster could not be set up or changed, in words for an administrator.
public struct SetupError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
