/// Why a client's byte stream cannot be read any further.
public enum FramedTextError: Error, Equatable, Sendable, CustomStringConvertible {
  /// More than `limit` bytes came without being consumed.
  case tooLong(limit: Int)

  public var description: String {
    switch self {
    case .tooLong(let limit): "more than \(limit) bytes without the end of a message"
    }
  }
}

/// Cuts a byte stream into text messages that end with the four bytes `\n##\n`
/// (lvmlockd-socket 2).
///
/// Unlike lvmlockd, which looks for the terminator only at the end of what one read returned, every
/// terminator ends a message, however the bytes were split or joined on their way.
public struct FramedTextBuffer: Sendable {
  public static let terminator: [UInt8] = Array("\n##\n".utf8)

  /// Bytes that may wait here, terminators included.
  public let limit: Int
  private var bytes: [UInt8] = []
  /// No terminator begins before this offset.
  private var searched = 0

  public init(limit: Int = 64 << 10) {
    precondition(limit > Self.terminator.count, "a limit that no message fits into")
    self.limit = limit
  }

  public var isEmpty: Bool { bytes.isEmpty }

  /// Throws when more than `limit` bytes wait; the stream is then lost.
  public mutating func append(_ run: some Collection<UInt8>) throws(FramedTextError) {
    guard run.count <= limit - bytes.count else { throw .tooLong(limit: limit) }
    bytes.append(contentsOf: run)
  }

  /// The next whole message without its terminator, or nil when its end has not come yet.
  public mutating func nextMessage() -> [UInt8]? {
    let length = Self.terminator.count
    while searched + length <= bytes.count {
      if bytes[searched..<(searched + length)].elementsEqual(Self.terminator) {
        let message = Array(bytes[..<searched])
        bytes.removeFirst(searched + length)
        searched = 0
        return message
      }
      searched += 1
    }
    return nil
  }
}
