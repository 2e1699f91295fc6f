/// Texts that were parsed already: the PVs of a group normally hold the same one, and from one scan
/// to the next few groups change.
public struct MetadataTextCache: Sendable {
  private struct Key: Hashable {
    let checksum: UInt32
    let size: UInt64
  }

  private struct Entry {
    let bytes: [UInt8]
    let text: MetadataText
    var scanNumber: Int
  }

  private var entries: [Key: Entry] = [:]
  private var scanNumber = 0
  /// How many texts have been parsed.
  public private(set) var parsedCount = 0

  public init() {}

  mutating func beginScan() { scanNumber += 1 }

  /// Forgets what was not seen in this scan.
  mutating func endScan() {
    entries = entries.filter { $0.value.scanNumber == scanNumber }
  }

  /// Reads the bytes in any case, since damage shows only there; parses what is new.
  mutating func text(
    at location: TextLocation, _ header: MetadataAreaHeader, _ device: any MetadataDevice
  ) throws(MetadataAreaError) -> MetadataText {
    let bytes = try CircularText(header: header).read(location, from: device)
    let key = Key(checksum: location.checksum, size: location.size)
    if let known = entries[key], known.bytes == bytes {
      entries[key]?.scanNumber = scanNumber
      return known.text
    }
    parsedCount += 1
    do {
      let text = try MetadataText(parsing: bytes)
      entries[key] = Entry(bytes: bytes, text: text, scanNumber: scanNumber)
      return text
    } catch {
      throw .text(error)
    }
  }
}
