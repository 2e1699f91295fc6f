/// Cuts the bytes of an admin connection into messages.
///
/// Each message is LVM configuration text, and ends with the four bytes `\n##\n` as on lvmlockd's
/// socket (lvmlockd-socket 2): a comment for the parser, so a message reads the same with it.
public struct AdminFraming: Sendable {
  public static let terminator: [UInt8] = Array("\n##\n".utf8)
  /// A request is a few names, or a list of believed keys.
  public static let requestLengthMaximum = 256 << 10
  /// A reply may list every lock of a busy cluster.
  public static let replyLengthMaximum = 64 << 20

  /// The other side sent more than a message may have without ending it.
  public struct MessageTooLong: Error, Equatable, Sendable, CustomStringConvertible {
    public let limit: Int
    public var description: String { "A message is longer than \(limit) bytes." }
  }

  private var pending: [UInt8] = []
  /// No terminator begins before this offset of `pending`.
  private var searched = 0
  private let limit: Int

  public init(limit: Int) { self.limit = limit }

  public mutating func append(_ bytes: some Sequence<UInt8>) { pending.append(contentsOf: bytes) }

  /// The next whole message without its terminator; nil when more bytes are needed.
  public mutating func next() throws(MessageTooLong) -> [UInt8]? {
    let width = Self.terminator.count
    while searched + width <= pending.count {
      if pending[searched..<(searched + width)].elementsEqual(Self.terminator) {
        let message = Array(pending[..<searched])
        pending.removeFirst(searched + width)
        searched = 0
        return message
      }
      searched += 1
    }
    guard pending.count <= limit else { throw MessageTooLong(limit: limit) }
    return nil
  }
}
