import ByteCoding

/// Cuts a control channel's stream into frames: a length of four bytes, little-endian, and as
/// many bytes.
struct ControlFrameSplitter {
  /// The longest frame between nodes that know each other.
  static let maximumLength = 1 << 20
  static let headerLength = 4

  private var buffer: [UInt8] = []
  private var start = 0
  /// Frames that are announced longer than this are refused.
  var limit: Int

  init(limit: Int) { self.limit = limit }

  mutating func append(_ bytes: some Sequence<UInt8>) {
    if start > 0 {
      buffer.removeFirst(start)
      start = 0
    }
    buffer.append(contentsOf: bytes)
  }

  /// The next whole frame, or nil until more bytes have come. A frame longer than the limit throws.
  mutating func next() throws(ByteDecodingError) -> ArraySlice<UInt8>? {
    var reader = ByteReader(buffer[start...])
    guard reader.remaining >= Self.headerLength else { return nil }
    let length = Int(try reader.read(UInt32.self))
    guard length <= limit else {
      throw .invalid("a frame of \(length) bytes, more than \(limit)")
    }
    guard reader.remaining >= length else { return nil }
    start += Self.headerLength + length
    return try reader.readBytes(length)
  }

  static func frame(_ bytes: [UInt8]) -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: headerLength + bytes.count)
    writer.writeCounted(bytes)
    return writer.bytes
  }
}
