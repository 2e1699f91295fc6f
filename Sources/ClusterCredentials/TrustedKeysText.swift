import SwiftASN1
import X509

// The two files in which a node keeps `TrustedKeys`: authorities as PEM, withdrawn keys as lines.
extension TrustedKeys {
  public init(authoritiesPEM: String, revokedText: String) throws(CredentialError) {
    let authorities: [AuthorityCertificate]
    do {
      authorities = try PEMDocument.parseMultiple(pemString: authoritiesPEM).map { document in
        try AuthorityCertificate(der: document.derBytes)
      }
    } catch {
      throw CredentialError("the authorities' certificates cannot be read: \(error)")
    }
    var revoked: Set<KeyFingerprint> = []
    for (index, line) in revokedText.split(separator: "\n", omittingEmptySubsequences: false)
      .enumerated()
    {
      let entry = line.prefix { $0 != "#" }.filter { $0 != " " && $0 != "\t" && $0 != "\r" }
      guard !entry.isEmpty else { continue }
      guard let fingerprint = KeyFingerprint(entry) else {
        throw CredentialError("line \(index + 1) of the withdrawn keys is no fingerprint")
      }
      revoked.insert(fingerprint)
    }
    try self.init(authorities: authorities, revoked: revoked)
  }

  public var authoritiesPEM: String {
    get throws(CredentialError) {
      var text = ""
      for authority in authorities { text += try authority.pem }
      return text
    }
  }

  public var revokedText: String {
    revoked.map { "\($0)\n" }.sorted().joined()
  }
}
