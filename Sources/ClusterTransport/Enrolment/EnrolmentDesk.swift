import ByteCoding
import ClusterCredentials
import ClusterTypes

/// Decides on requests to join with one token. Pure.
struct EnrolmentDesk {
  /// Wrong secrets after which the token is void: somebody is guessing.
  static let maximumWrongSecretCount = 8

  private let token: JoinToken
  private let authority: ClusterAuthority
  private let trusted: TrustList
  private let configuration: String
  private var state = State.waiting(wrongSecretCount: 0)

  private enum State {
    case waiting(wrongSecretCount: Int)
    case used
    case void
  }

  init(
    token: JoinToken, authority: ClusterAuthority, trusted: TrustList, configuration: String
  ) {
    self.token = token
    self.authority = authority
    self.trusted = trusted
    self.configuration = configuration
  }

  /// Whether any request can still succeed.
  var isOpen: Bool {
    guard case .waiting = state else { return false }
    return true
  }

  mutating func answer(_ bytes: ArraySlice<UInt8>) -> EnrolmentReply {
    guard case .waiting(let wrongSecretCount) = state else {
      return .refused("the token has been used or is void; 'clvm cluster token' makes a new one")
    }
    let request: EnrolmentRequest
    do {
      request = try EnrolmentRequest(decoding: bytes)
    } catch {
      return .refused("the request to join cannot be understood: \(error)")
    }
    guard Self.isSame(request.secret, token.secret), request.node == token.node else {
      let count = wrongSecretCount + 1
      state = count < Self.maximumWrongSecretCount ? .waiting(wrongSecretCount: count) : .void
      return .refused("the token is not the one that is waited for")
    }
    // Whatever becomes of the request: somebody knew the secret.
    state = .used
    do throws(CredentialError) {
      let certificate = try authority.issue(
        VerifiedRequest(decoding: request.certificateRequest), for: token.node)
      return .enrolled(
        Enrolment(certificate: certificate, trusted: trusted, configuration: configuration))
    } catch {
      return .refused("\(error)")
    }
  }

  /// Takes the same time wherever the first difference is.
  private static func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    return zip(left, right).reduce(UInt8(0)) { $0 | $1.0 ^ $1.1 } == 0
  }
}
