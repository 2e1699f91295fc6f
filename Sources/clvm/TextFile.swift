import Glibc

/// Files that users name on the command line.
enum TextFile {
  /// More is no metadata text.
  private static let sizeMax = 64 << 20

  /// The content; nil, with `errno` set, when the file cannot be read or is too large.
  static func read(_ path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &piece, piece.count)
      if count == 0 { return content }
      if count < 0 {
        guard errno == EINTR else { return nil }
        continue
      }
      guard content.count + count <= sizeMax else {
        errno = EFBIG
        return nil
      }
      content += piece[..<count]
    }
  }
}
