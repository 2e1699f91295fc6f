/// Writes the integers of a structure of known length, one after the other, little-endian: several
/// times as fast as writing each to a `ByteWriter`.
public struct FieldWriter: ~Copyable {
  @usableFromInline let bytes: UnsafeMutableRawBufferPointer
  @usableFromInline var position = 0

  @inlinable
  init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

  /// Writing past the structure's end is a programmer's error.
  @inlinable
  public mutating func write<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    let count = MemoryLayout<T>.size
    precondition(position + count <= bytes.count, "more fields than the structure has")
    bytes.storeBytes(of: value.littleEndian, toByteOffset: position, as: T.self)
    position += count
  }
}

extension ByteWriter {
  /// Writes a structure of `count` bytes; those that `fields` leaves out are zero.
  @inlinable
  public mutating func writeFields(_ count: Int, _ fields: (inout FieldWriter) -> Void) {
    storage.appendFields(count, fields)
  }
}

extension [UInt8] {
  /// Appends a structure of `count` bytes; those that `fields` leaves out are zero.
  @inlinable
  public mutating func appendFields(_ count: Int, _ fields: (inout FieldWriter) -> Void) {
    withUnsafeTemporaryAllocation(byteCount: count, alignment: 8) { buffer in
      buffer.initializeMemory(as: UInt8.self, repeating: 0)
      var writer = FieldWriter(buffer)
      fields(&writer)
      append(contentsOf: buffer)
    }
  }
}

/// Reads the integers of a structure of known length, one after the other, little-endian.
public struct FieldReader: ~Copyable {
  @usableFromInline let bytes: UnsafeRawBufferPointer
  @usableFromInline var position = 0

  /// - Parameter bytes: must outlive the reader.
  @inlinable
  public init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Reading past the structure's end is a programmer's error.
  @inlinable
  public mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self) -> T {
    let count = MemoryLayout<T>.size
    precondition(position + count <= bytes.count, "more fields than the structure has")
    defer { position += count }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
  }

  @inlinable
  public mutating func skip(_ count: Int) { position += count }
}

extension ByteReader {
  /// Reads a structure of `count` bytes.
  @inlinable
  public mutating func readFields<Result>(
    _ count: Int, _ fields: (inout FieldReader) throws(ByteDecodingError) -> Result
  ) throws(ByteDecodingError) -> Result {
    try require(count)
    let start = offset
    position += count
    let result = bytes.withUnsafeBytes { buffer in
      Swift.Result { () throws(ByteDecodingError) in
        var reader = FieldReader(
          UnsafeRawBufferPointer(rebasing: buffer[start..<(start + count)]))
        return try fields(&reader)
      }
    }
    return try result.get()
  }
}
