/// Cuts a TCP stream into whole messages (dlm-wire 3).
///
/// Holds at most one incomplete message beside what was appended last. After an error the stream
/// is worthless: the connection must be reset.
public struct FrameSplitter: Sendable {
  @usableFromInline var buffer: [UInt8] = []
  @usableFromInline var start = 0

  public init() {}

  /// Bytes that wait for the rest of their message.
  public var pendingByteCount: Int { buffer.count - start }

  @inlinable
  public mutating func append(_ bytes: some Sequence<UInt8>) {
    if start == buffer.count {
      buffer.removeAll(keepingCapacity: true)
    } else if start > 0 {
      buffer.removeFirst(start)
    }
    start = 0
    buffer.append(contentsOf: bytes)
  }

  /// How long the message is that `bytes` begin with; nil while that cannot be known, or not all of it
  /// is there.
  ///
  /// - Throws: `length` when the stream announces a message that no node may send.
  @inlinable
  public static func wholeMessage(
    in bytes: UnsafeRawBufferPointer
  ) throws(FrameDecodingError) -> Int? {
    guard bytes.count >= Frame.headerLength else { return nil }
    let length = Int(bytes[12]) | Int(bytes[13]) << 8
    guard Frame.lengthRange.contains(length) else { throw .length(length) }
    return bytes.count >= length ? length : nil
  }

  /// The next whole message, or nil until more bytes have come.
  ///
  /// - Throws: `length` when the stream announces a message that no node may send.
  public mutating func next() throws(FrameDecodingError) -> ArraySlice<UInt8>? {
    guard pendingByteCount >= Frame.headerLength else { return nil }
    let length = Int(buffer[start + 12]) | Int(buffer[start + 13]) << 8
    guard Frame.lengthRange.contains(length) else { throw .length(length) }
    guard pendingByteCount >= length else { return nil }
    defer { start += length }
    return buffer[start..<(start + length)]
  }
}
