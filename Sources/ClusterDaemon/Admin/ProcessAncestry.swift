/// A process of this machine, its parent, and so on; the first process is not counted in.
struct ProcessAncestry: Sequence, IteratorProtocol {
  /// Deeper than any real one, should the tree change while it is walked.
  private static let maximumDepth = 64

  private var pending: Int32?
  private var depth = 0

  init(_ processID: Int32) { pending = processID }

  mutating func next() -> Int32? {
    guard let process = pending, process > 1, depth < Self.maximumDepth else { return nil }
    depth += 1
    pending = Self.parent(of: process)
    return process
  }

  /// The fourth field of /proc/PID/stat; the second, in parentheses, may contain anything.
  static func parent(ofStat text: [UInt8]) -> Int32? {
    guard let end = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = text[(end + 1)...].split(separator: UInt8(ascii: " "))
    return fields.count > 1 ? Int32(String(decoding: fields[1], as: UTF8.self)) : nil
  }

  private static func parent(of process: Int32) -> Int32? {
    (try? readFile("/proc/\(process)/stat", limit: 4096)).flatMap { parent(ofStat: $0) }
  }
}
