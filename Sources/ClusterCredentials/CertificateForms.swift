import SwiftASN1
import X509

// What certificates of nodes and of authorities have in common.

extension Certificate {
  /// The URI for which the certificate speaks; nil if it has another kind of name, none or several: then it
  /// would be open for whom.
  var onlyURI: String? {
    get throws(CredentialError) {
      let names: SubjectAlternativeNames?
      do {
        names = try extensions.subjectAlternativeNames
      } catch {
        throw CredentialError("the certificate's names cannot be understood: \(error)")
      }
      guard let names, names.count == 1, case .uniformResourceIdentifier(let uri)? = names.first
      else { return nil }
      return uri
    }
  }

  var derBytes: [UInt8] {
    get throws(CredentialError) {
      do {
        var serializer = DER.Serializer()
        try serializer.serialize(self)
        return serializer.serializedBytes
      } catch {
        throw CredentialError("the certificate cannot be encoded: \(error)")
      }
    }
  }

  var pemText: String {
    get throws(CredentialError) {
      do {
        return try serializeAsPEM().pemString + "\n"
      } catch {
        throw CredentialError("the certificate cannot be encoded: \(error)")
      }
    }
  }
}
