import ClusterCredentials
import ClusterTypes
import NIOCore
import NIOSSL

/// TLS 1.3 between nodes: both ends show the certificate of their node, and each judges the other's
/// by the cluster's authorities alone. Names in DNS, dates and the system's authorities mean
/// nothing here.
///
/// A value of this type never changes. New keys make a new one, which counts for connections that
/// are made from then on.
public struct LinkSecurity: Sendable {
  /// Whom this node speaks for.
  public let identity: NodeIdentity
  public let trusted: TrustedKeys
  private let clientContext: NIOSSLContext
  private let serverContext: NIOSSLContext

  /// Refuses a credential of another cluster than `trusted`'s.
  public init(
    _ credential: NodeCredential, trusted: TrustedKeys
  ) throws(CredentialError) {
    guard credential.identity.cluster == trusted.cluster else {
      throw CredentialError(
        "the node's certificate is for another cluster than the authorities it believes")
    }
    identity = credential.identity
    self.trusted = trusted
    do {
      let chain = try [
        NIOSSLCertificateSource.certificate(
          NIOSSLCertificate(bytes: credential.certificate.der, format: .der))
      ]
      let key = NIOSSLPrivateKeySource.privateKey(
        try NIOSSLPrivateKey(bytes: Array(credential.key.pem.utf8), format: .pem))
      let roots = try trusted.authorities.map {
        try NIOSSLCertificate(bytes: $0.der, format: .der)
      }
      var client = TLSConfiguration.makeClientConfiguration()
      client.certificateChain = chain
      client.privateKey = key
      clientContext = try NIOSSLContext(configuration: Self.strict(client, roots))
      serverContext = try NIOSSLContext(
        configuration: Self.strict(
          .makeServerConfiguration(certificateChain: chain, privateKey: key), roots))
    } catch {
      throw CredentialError("the node's keys cannot be used for TLS: \(error)")
    }
  }

  private static func strict(
    _ configuration: TLSConfiguration, _ roots: [NIOSSLCertificate]
  ) -> TLSConfiguration {
    var configuration = configuration
    configuration.minimumTLSVersion = .tlsv13
    configuration.maximumTLSVersion = .tlsv13
    // The other end must show a certificate; `judge` takes the place of the usual verification.
    configuration.certificateVerification = .noHostnameVerification
    configuration.trustRoots = .certificates(roots)
    configuration.shutdownTimeout = .seconds(1)
    return configuration
  }

  func handler(isClient: Bool, verdict: PeerVerdict) throws -> NIOSSLHandler {
    let judge = judge(verdict)
    guard isClient else {
      return NIOSSLServerHandler(context: serverContext, customVerificationCallback: judge)
    }
    return try NIOSSLClientHandler(
      context: clientContext, serverHostname: nil, customVerificationCallback: judge)
  }

  private func judge(_ verdict: PeerVerdict) -> NIOSSLCustomVerificationCallback {
    { [trusted] presented, promise in
      do throws(CredentialError) {
        // There is one authority above a node: more certificates are ballast.
        guard let der = try? presented.first?.toDERBytes() else {
          throw CredentialError("it shows no certificate")
        }
        verdict.value = .success(try trusted.check(der: der))
        promise.succeed(.certificateVerified)
      } catch {
        verdict.value = .failure(error)
        promise.succeed(.failed)
      }
    }
  }
}

/// What came of judging the other end's certificate. On the event loop.
final class PeerVerdict {
  /// Nil before the certificate has come.
  var value: Result<NodeCertificate, CredentialError>?
}
