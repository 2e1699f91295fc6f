import ByteCoding

/// Why a message from the network was refused.
public enum FrameDecodingError: Error, Hashable, Sendable {
  /// The length field is outside 16...4096, or is not the length of the message.
  case length(Int)
  case version(ProtocolVersion)
  /// The sender is not a node id.
  case sender(Int32)
  case command(UInt8)
  /// The bytes are shorter than their kind needs, or hold a value without meaning.
  case malformed(String)
  /// What an envelope holds was refused; the envelope itself has a place in the sequence.
  indirect case envelope(sequence: UInt32, FrameDecodingError)

  init(_ error: ByteDecodingError, in kind: String) {
    switch error {
    case .truncated(let offset, let needed, let available):
      self = .malformed(
        "\(kind) cut short: \(needed) bytes wanted at \(offset), \(available) there")
    case .invalid(let reason):
      self = .malformed("\(kind): \(reason)")
    }
  }
}

extension FrameDecodingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .length(let length): "a message with length field \(length)"
    case .version(let version): "a message of unknown version \(version)"
    case .sender(let number): "a message from node id \(number)"
    case .command(let number): "a message with unknown command \(number)"
    case .malformed(let reason): reason
    case .envelope(let sequence, let reason): "envelope \(sequence) with \(reason)"
    }
  }
}
