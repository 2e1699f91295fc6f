import SwiftASN1
import X509

// Authorities' certificates as PEM, one behind the other.
extension TrustedKeys {
  var authoritiesPEM: String {
    get throws(CredentialError) {
      var text = ""
      for authority in authorities { text += try authority.pem }
      return text
    }
  }
}

extension AuthorityCertificate {
  static func list(pem: String) throws(CredentialError) -> [AuthorityCertificate] {
    do {
      return try PEMDocument.parseMultiple(pemString: pem).map { document in
        try AuthorityCertificate(der: document.derBytes)
      }
    } catch {
      throw CredentialError("the authorities' certificates cannot be read: \(error)")
    }
  }
}
