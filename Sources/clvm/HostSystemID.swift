import Glibc
import LVMSystemDirectory

/// LVM's system id of this host, by which it knows the volume groups it owns (lvmsystemid(7)).
enum HostSystemID {
  /// Nil when the configuration gives this host none.
  static func read() throws -> String? {
    let configuration: LVMConfiguration
    do throws(LVMConfigurationError) {
      configuration = try LVMConfiguration()
    } catch {
      throw CommandFailure(error.description)
    }
    let text: String?
    switch configuration.string("global/system_id_source")?.lowercased() {
    case "uname": text = hostName
    case "lvmlocal": text = configuration.string("local/system_id")
    case "machineid": text = firstLine(of: "/etc/machine-id")
    case "file": text = configuration.string("global/system_id_file").flatMap(firstLine)
    default: text = nil
    }
    return text.map(legalCharacters).flatMap { $0.isEmpty ? nil : $0 }
  }

  private static var hostName: String? {
    var names = utsname()
    guard uname(&names) == 0 else { return nil }
    return withUnsafeBytes(of: names.nodename) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// The first line that is not empty and no comment.
  private static func firstLine(of path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var buffer = [CChar](repeating: 0, count: 4096)
    while fgets(&buffer, Int32(buffer.count), file) != nil {
      let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
      if let first = words.first, !first.hasPrefix("#") { return String(first) }
    }
    return nil
  }

  /// Only what names may hold, and nothing before the first letter or digit.
  private static func legalCharacters(_ text: String) -> String {
    let legal = text.filter { character in
      character.isASCII
        && (character.isLetter || character.isNumber || "._-+".contains(character))
    }
    return String(legal.drop { !$0.isLetter && !$0.isNumber })
  }
}
