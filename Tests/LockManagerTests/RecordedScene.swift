import ClusterTypes
import FoundationEssentials
import LockProtocol

/// A recorded conversation of two kernels: their lock messages, and what the applications on them
/// were told to do, in the order of time.
struct RecordedScene: Sendable {
  enum Event: Sendable {
    case message(LockMessage, from: Int32, to: Int32)
    /// A command of the test program on a node: `lock b1 5 8 dir1-b3`.
    case command(String, node: Int32)
  }

  private struct Line: Decodable {
    let from: Int32?
    let raw: String?
    let to: Int32?
    let node: Int32?
    let annotation: String?
  }

  let events: [Event]

  init(_ name: String) throws {
    let folder =
      #filePath.split(separator: "/", omittingEmptySubsequences: false)
      .dropLast(3).joined(separator: "/") + "/Fixtures/dlm"
    let data = try Data(contentsOf: URL(filePath: "\(folder)/\(name).json"))
    events = try JSONDecoder().decode([Line].self, from: data).compactMap { line in
      if let from = line.from, let to = line.to, let raw = line.raw {
        guard case .sequenced(_, .lock(let message)) = try Frame(decoding: Self.bytes(raw)).content
        else { return nil }
        return .message(message, from: from, to: to)
      }
      guard let node = line.node, let text = line.annotation, text.hasPrefix("> ") else {
        return nil
      }
      return .command(String(text.dropFirst(2)), node: node)
    }
  }

  private static func bytes(_ hex: String) -> [UInt8] {
    stride(from: 0, to: hex.utf8.count, by: 2).compactMap { offset in
      let start = hex.index(hex.startIndex, offsetBy: offset)
      return UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16)
    }
  }
}
