import Glibc

/// The system id of this host, by `global/system_id_source` (lvm2-metadata 11).
public struct HostSystemID: Sendable {
  /// Nil when the host has none.
  public let value: String?

  public init(_ configuration: LVMConfiguration) {
    let source = configuration.string("global/system_id_source") ?? "none"
    let text: String? =
      switch source {
      case "uname": HostIdentity.current.nodeName
      case "lvmlocal": configuration.string("local/system_id")
      case "machineid", "appmachineid": source == "machineid" ? Self.line("/etc/machine-id") : nil
      case "file": configuration.string("global/system_id_file").flatMap { Self.line($0) }
      default: nil
      }
    value = text.map { Self.valid($0) }.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The first line that is neither empty nor a comment.
  private static func line(_ path: String) -> String? {
    guard let bytes = try? SystemFile.read(path) else { return nil }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
      .first { !$0.hasPrefix("#") && !$0.allSatisfy(\.isWhitespace) }
      .map { String($0.filter { !$0.isWhitespace }) }
  }

  /// LVM drops what may not be in a system id, and takes no name of this computer alone.
  private static func valid(_ text: String) -> String {
    let allowed = text.unicodeScalars.filter { scalar in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "+", "_", ".", "-": true
      default: false
      }
    }
    let name = String(String.UnicodeScalarView(allowed.drop { $0 == "-" || $0 == "." }).prefix(127))
    return name.hasPrefix("localhost") ? "" : name
  }
}
