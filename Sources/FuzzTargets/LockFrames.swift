import Fuzzing
import LockProtocol

extension FuzzTarget {
  /// What is decoded encodes to bytes that decode to the same, and with the bytes' own length.
  public static let lockFrames = FuzzTarget(
    name: "lock-frames", summary: "a DLM message decodes or is refused; encoding it gives it back",
    corpusFolder: "Fixtures/dlm", dictionary: Recordings.dictionary,
    seeds: Recordings.messages
  ) { input throws(FuzzFailure) in
    var digest = ResultDigest()
    let frame: Frame
    do throws(FrameDecodingError) {
      frame = try Frame(decoding: input)
    } catch {
      digest.add(error.kindNumber)
      return digest.value
    }
    digest.add(frame.kindNumber)
    let encoded = frame.encoded()
    guard let again = try? Frame(decoding: encoded) else {
      throw FuzzFailure("what was encoded does not decode: \(frame)")
    }
    guard again == frame else { throw FuzzFailure("\(frame) became \(again)") }
    guard again.encoded() == encoded else { throw FuzzFailure("\(frame) encodes in two ways") }
    return digest.value
  }
}

extension FrameDecodingError {
  /// Tells kinds of refusals apart.
  var kindNumber: Int {
    switch self {
    case .length: 1
    case .version: 2
    case .sender: 3
    case .command(let command): 4 + Int(command) << 8
    case .malformed(let reason):
      // The words, not the numbers in them.
      reason.utf8.reduce(5) {
        (0x30...0x39).contains($1) ? $0 : ($0 &* 31 &+ Int($1)) & 0xFFFF_FFFF
      }
    case .envelope(_, let inner): 6 + inner.kindNumber << 8
    }
  }
}

extension Frame {
  /// Tells kinds of messages apart.
  var kindNumber: Int {
    switch content {
    case .bare(let packet): 1 + packet.kindNumber << 8
    case .sequenced(_, let packet): 2 + packet.kindNumber << 8
    case .finish: 3
    case .acknowledgement: 4
    }
  }
}

extension Packet {
  var kindNumber: Int {
    switch self {
    case .lock(let message):
      1 + Int(message.type.rawValue) << 8 + Int(message.requestedMode.rawValue + 1) << 16
        + Int(message.grantedMode.rawValue + 1) << 20 + (message.extra.isEmpty ? 0 : 1) << 24
    case .recovery(let message):
      2 + Int(message.type.rawValue) << 8 + (message.tail.isEmpty ? 0 : 1) << 16
        + (message.result < 0 ? 1 : 0) << 20
    }
  }
}
