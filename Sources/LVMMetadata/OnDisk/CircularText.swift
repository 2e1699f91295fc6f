import ByteCoding

/// Texts in the circular buffer `[512, size)` of a metadata area (lvm2-metadata 2.2).
///
/// A text that reaches the end of the area continues at byte 512, behind the header.
struct CircularText {
  /// Where the buffer begins, in bytes from the start of the area.
  static let bufferStart: UInt64 = 512
  /// More than any text that LVM can parse in reasonable time, less than what exhausts memory.
  static let sizeMax: UInt64 = 64 << 20

  let header: MetadataAreaHeader

  /// The runs of the area that `size` bytes at `offset` occupy: one, or two when they wrap.
  func runs(offset: UInt64, size: UInt64) -> [Range<UInt64>] {
    let end = offset + size
    if end <= header.size { return [offset..<end] }
    return [offset..<header.size, Self.bufferStart..<(Self.bufferStart + end - header.size)]
  }

  func isInside(_ location: TextLocation) -> Bool {
    location.offset >= Self.bufferStart && location.offset < header.size && location.size > 0
      && location.size <= header.size - Self.bufferStart && location.size <= Self.sizeMax
  }

  /// Reads and checks a text.
  func read(
    _ location: TextLocation, from device: any MetadataDevice
  ) throws(MetadataAreaError) -> [UInt8] {
    guard isInside(location) else { throw .location(location) }
    var bytes: [UInt8] = []
    do {
      for run in runs(offset: location.offset, size: location.size) {
        let part = try device.read(at: header.start + run.lowerBound, count: run.count)
        if bytes.isEmpty { bytes = part } else { bytes += part }
      }
    } catch {
      throw .device(error)
    }
    guard CRC32.lvm(bytes) == location.checksum else { throw .textChecksum }
    return bytes
  }

  /// The largest text LVM allows: the old and the new one always fit side by side.
  var newTextSizeMax: UInt64 {
    let half = (header.size - Self.bufferStart) / 2
    return half > 512 ? half - 512 : 0
  }

  /// Where LVM puts the next text: behind the committed one, on a sector boundary.
  ///
  /// Nil when `size` bytes there, padded to whole sectors, would touch the committed text.
  func placeForNewText(size: UInt64) -> UInt64? {
    guard !header.isIgnored, let committed = header.committed, isInside(committed) else {
      return Self.bufferStart
    }
    let oldRuns = runs(offset: committed.offset, size: committed.size)
    let oldLast = (oldRuns.last?.upperBound ?? Self.bufferStart) - 1
    var offset = (oldLast / 512 + 1) * 512
    if header.size - oldLast < 512 || offset > header.size - 512 { offset = Self.bufferStart }
    let padded = (size + 511) / 512 * 512
    guard padded <= header.size - Self.bufferStart else { return nil }
    let newRuns = runs(offset: offset, size: padded)
    let overlap = newRuns.contains { new in oldRuns.contains { $0.overlaps(new) } }
    return overlap ? nil : offset
  }

  /// Writes `text` at `offset`, zeros up to the end of its last sector behind it.
  func write(
    _ text: [UInt8], at offset: UInt64, to device: any MetadataDevice
  ) throws(MetadataDeviceError) {
    let padding = (512 - text.count % 512) % 512
    let padded = text + [UInt8](repeating: 0, count: padding)
    var written = 0
    for run in runs(offset: offset, size: UInt64(padded.count)) {
      let part = Array(padded[written..<(written + run.count)])
      try device.writeSectors(part, at: header.start + run.lowerBound)
      written += run.count
    }
  }
}

extension MetadataDevice {
  /// Writes `bytes` where the device's sectors may be larger than the 512 bytes LVM counts in: the
  /// bytes around them are read and written back as they are.
  func writeSectors(_ bytes: [UInt8], at offset: UInt64) throws(MetadataDeviceError) {
    let unit = UInt64(logicalSectorSize)
    let start = offset / unit * unit
    let end = (offset + UInt64(bytes.count) + unit - 1) / unit * unit
    guard start != offset || end != offset + UInt64(bytes.count) else {
      return try write(bytes, at: offset)
    }
    var buffer = try read(at: start, count: Int(end - start))
    let first = Int(offset - start)
    buffer.replaceSubrange(first..<(first + bytes.count), with: bytes)
    try write(buffer, at: start)
  }
}
