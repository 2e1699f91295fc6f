/// What is wrong with a key, a certificate or a token; the text is for the administrator.
public struct CredentialError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
