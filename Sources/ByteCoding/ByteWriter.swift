/// Appends integers and byte runs; the counterpart of `ByteReader`, little-endian likewise.
public struct ByteWriter: Sendable {
  @usableFromInline var storage: [UInt8]

  /// What has been written.
  @inlinable
  public var bytes: [UInt8] { storage }

  @inlinable
  public init(reservingCapacity capacity: Int = 0) {
    storage = []
    storage.reserveCapacity(capacity)
  }

  @inlinable
  public var count: Int { storage.count }

  /// A little-endian integer of `T`'s width.
  @inlinable
  public mutating func write<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { storage.append(contentsOf: $0) }
  }

  /// A big-endian integer of `T`'s width.
  @inlinable
  public mutating func writeBigEndian<T: FixedWidthInteger>(_ value: T) {
    write(value.byteSwapped)
  }

  @inlinable
  public mutating func write(_ run: some Sequence<UInt8>) {
    storage.append(contentsOf: run)
  }

  @inlinable
  public mutating func writeZeros(_ count: Int) {
    storage.append(contentsOf: repeatElement(0, count: count))
  }

  /// A byte run preceded by its length as a `UInt32`.
  @inlinable
  public mutating func writeCounted(_ run: some Collection<UInt8>) {
    write(UInt32(run.count))
    write(run)
  }

  /// UTF-8 text preceded by its length as a `UInt32`.
  public mutating func writeString(_ text: String) {
    writeCounted(Array(text.utf8))
  }

  /// A list preceded by its element count as a `UInt32`.
  @inlinable
  public mutating func writeList<List: Collection>(
    _ list: List, _ element: (inout ByteWriter, List.Element) -> Void
  ) {
    write(UInt32(list.count))
    for item in list { element(&self, item) }
  }

  /// Replaces bytes already written, for lengths and checksums known only at the end.
  @inlinable
  public mutating func overwrite<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    precondition(offset >= 0 && offset + T.bitWidth / 8 <= storage.count, "overwrite past the end")
    withUnsafeBytes(of: value.littleEndian) { source in
      storage.withUnsafeMutableBytes {
        UnsafeMutableRawBufferPointer(rebasing: $0[offset...]).copyMemory(from: source)
      }
    }
  }
}
