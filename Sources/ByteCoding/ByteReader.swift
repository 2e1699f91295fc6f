/// Why bytes could not be decoded. Decoding is total: hostile input ends here, never in a trap.
public enum ByteDecodingError: Error, Equatable, Sendable {
  /// `needed` bytes were asked for at `offset`, but only `available` were left.
  case truncated(offset: Int, needed: Int, available: Int)
  /// The bytes are there but no value has that form; the text names the field.
  case invalid(String)
}

/// Reads integers and byte runs from a buffer, front to back, with every bound checked.
///
/// Generic methods are inlinable: unspecialised in other modules, decoding a lock message took
/// more than twenty times as long.
///
/// Byte order is little-endian unless a method says otherwise: the kernel's DLM wire
/// format and LVM2's on-disk format both are.
public struct ByteReader: Sendable {
  public let bytes: ArraySlice<UInt8>
  @usableFromInline var position: Int

  @inlinable
  public init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    self.position = bytes.startIndex
  }

  @inlinable
  public init(_ bytes: [UInt8]) { self.init(bytes[...]) }

  /// Bytes consumed so far.
  @inlinable
  public var offset: Int { position - bytes.startIndex }
  /// Bytes not yet consumed.
  @inlinable
  public var remaining: Int { bytes.endIndex - position }
  @inlinable
  public var isAtEnd: Bool { remaining == 0 }

  /// Throws `truncated` unless `count` (non-negative) more bytes are there.
  @inlinable
  func require(_ count: Int) throws(ByteDecodingError) {
    guard count >= 0, count <= remaining else {
      throw .truncated(offset: offset, needed: count, available: remaining)
    }
  }

  @inlinable
  public mutating func readBytes(_ count: Int) throws(ByteDecodingError) -> ArraySlice<UInt8> {
    try require(count)
    defer { position += count }
    return bytes[position..<(position + count)]
  }

  @inlinable
  public mutating func skip(_ count: Int) throws(ByteDecodingError) {
    try require(count)
    position += count
  }

  @inlinable
  public mutating func readRemaining() -> ArraySlice<UInt8> {
    defer { position = bytes.endIndex }
    return bytes[position...]
  }

  /// A little-endian integer of `T`'s width.
  @inlinable
  public mutating func read<T: FixedWidthInteger>(
    _ type: T.Type = T.self
  ) throws(ByteDecodingError) -> T {
    let count = MemoryLayout<T>.size
    try require(count)
    var value: T = 0
    bytes.withUnsafeBytes { source in
      let field = UnsafeRawBufferPointer(rebasing: source[offset..<(offset + count)])
      withUnsafeMutableBytes(of: &value) { $0.copyMemory(from: field) }
    }
    position += count
    return T(littleEndian: value)
  }

  /// A big-endian integer of `T`'s width.
  @inlinable
  public mutating func readBigEndian<T: FixedWidthInteger>(
    _ type: T.Type = T.self
  ) throws(ByteDecodingError) -> T {
    try read(T.self).byteSwapped
  }

  /// A byte run preceded by its length as a `UInt32`; longer than `limit` is invalid.
  public mutating func readCounted(limit: Int) throws(ByteDecodingError) -> ArraySlice<UInt8> {
    let count = Int(try read(UInt32.self))
    guard count <= limit else { throw .invalid("a run of \(count) bytes, more than \(limit)") }
    return try readBytes(count)
  }

  /// UTF-8 text preceded by its length as a `UInt32`.
  public mutating func readString(limit: Int) throws(ByteDecodingError) -> String {
    let run = try readCounted(limit: limit)
    guard let text = String(validating: run, as: UTF8.self) else { throw .invalid("not UTF-8") }
    return text
  }

  /// A list preceded by its element count as a `UInt32`; more than `limit` elements are invalid.
  @inlinable
  public mutating func readList<Element>(
    limit: Int, _ element: (inout ByteReader) throws(ByteDecodingError) -> Element
  ) throws(ByteDecodingError) -> [Element] {
    let count = Int(try read(UInt32.self))
    guard count <= limit else { throw .invalid("a list of \(count), more than \(limit)") }
    var list: [Element] = []
    list.reserveCapacity(min(count, 256))
    for _ in 0..<count { list.append(try element(&self)) }
    return list
  }

  /// Throws unless everything was consumed: trailing bytes mean that the two sides disagree.
  public func expectEnd() throws(ByteDecodingError) {
    guard isAtEnd else { throw .invalid("\(remaining) surplus bytes") }
  }
}
