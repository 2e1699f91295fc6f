import ClusterTypes

/// The last events as text, for `lvmlockctl --dump`.
struct LockDaemonJournal {
  private static let lineCountMax = 2_000
  /// Bytes of a line; so the whole journal stays below the 1 MiB that lvmlockctl takes.
  private static let lineLengthMax = 256

  private var lines: [String] = []
  /// Index of the oldest line, once the journal is full.
  private var oldest = 0

  mutating func append(_ text: String, at now: Timestamp) {
    let milliseconds = now.nanoseconds / 1_000_000
    let fraction = String(milliseconds % 1_000)
    let padding = String(repeating: "0", count: 3 - fraction.count)
    let line = "\(milliseconds / 1_000).\(padding)\(fraction) \(text)"
    let cut = String(decoding: line.utf8.prefix(Self.lineLengthMax), as: UTF8.self)
    if lines.count < Self.lineCountMax {
      lines.append(cut)
    } else {
      lines[oldest] = cut
      oldest = (oldest + 1) % Self.lineCountMax
    }
  }

  /// One event a line, the oldest first.
  var text: [UInt8] {
    Array((lines[oldest...] + lines[..<oldest]).map { $0 + "\n" }.joined().utf8)
  }
}
