import ClusterTypes
import FoundationEssentials
import LockManager
import LockProtocol

/// What the caller calls a request; events that belong to it carry it again.
enum RequestID: Codable, Hashable, Sendable {
  case number(Int64)
  case text(String)

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let number = try? container.decode(Int64.self) {
      self = .number(number)
    } else {
      self = .text(try container.decode(String.self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .number(let number): try container.encode(number)
    case .text(let text): try container.encode(text)
    }
  }
}

/// Why a request was not carried out, with the errno that Linux's dlm_lock(9) would return.
struct RequestError: Error, Hashable, Sendable {
  static let noEntry: Int32 = -2
  static let again: Int32 = -11
  static let outOfMemory: Int32 = -12
  static let busy: Int32 = -16
  static let exists: Int32 = -17
  static let invalidArgument: Int32 = -22
  static let notConnected: Int32 = -107
  static let shutDown: Int32 = -108

  var status: Int32
  var text: String

  init(_ text: String, status: Int32 = Self.invalidArgument) {
    self.status = status
    self.text = text
  }
}

/// One line of input, as the operation that it asks for.
struct PeerRequest: Sendable {
  enum Operation: Sendable {
    case start(members: [Member], renewed: Set<NodeID>)
    case stop
    case lock(ResourceName, LockMode, LockFlags, valueBlock: [UInt8]?, processID: UInt32?)
    case convert(UInt64, LockMode, LockFlags, valueBlock: [UInt8]?)
    case unlock(UInt64, LockFlags, valueBlock: [UInt8]?)
    case cancel(UInt64)
    case abandon(UInt64)
    case purge(NodeID, processID: UInt32)
    case dump
    case leave
  }

  let id: RequestID?
  /// The operation, or what is wrong with the line.
  let operation: Result<Operation, RequestError>

  /// Decodes a line; total, whatever the bytes are.
  init(line: some Collection<UInt8>) {
    let data = Data(line)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      let fields = try decoder.decode(RequestFields.self, from: data)
      id = fields.id
      operation = fields.operation()
    } catch {
      id = (try? decoder.decode(IDField.self, from: data))?.id
      operation = .failure(RequestError(Self.explain(error)))
    }
  }

  private struct IDField: Decodable {
    let id: RequestID?
  }

  private static func explain(_ error: any Error) -> String {
    let (path, reason): ([any CodingKey], String) =
      switch error as? DecodingError {
      case .typeMismatch(_, let context), .valueNotFound(_, let context),
        .dataCorrupted(let context):
        (context.codingPath, context.debugDescription)
      case .keyNotFound(let key, _): ([key], "missing")
      default: ([], "\(error)")
      }
    guard let key = path.first?.stringValue else { return "not a JSON object: \(reason)" }
    return "field \"\(key)\": \(reason)"
  }
}

/// The fields of all operations.
private struct RequestFields: Decodable {
  let id: RequestID?
  let op: String
  let members: [Int32]?
  /// By node id; 1 where not named (dlm-wire 11.2).
  let weights: [String: Int]?
  /// Members that died since the last start and are back.
  let renewed: [Int32]?
  let resource: String?
  /// For names that are no text.
  let resourceHex: String?
  let mode: String?
  let flags: [String]?
  let lvb: String?
  let lkid: UInt64?
  let pid: UInt32?
  let node: Int32?

  func operation() -> Result<PeerRequest.Operation, RequestError> {
    do throws(RequestError) {
      return .success(try parsed())
    } catch {
      return .failure(error)
    }
  }

  private func parsed() throws(RequestError) -> PeerRequest.Operation {
    switch op {
    case "start": .start(members: try parsedMembers(), renewed: Set(try nodes(renewed ?? [])))
    case "stop": .stop
    case "lock":
      .lock(
        try resourceName(), try lockMode(), try lockFlags(), valueBlock: try valueBlock(),
        processID: pid)
    case "convert":
      .convert(try lock(), try lockMode(), try lockFlags(), valueBlock: try valueBlock())
    case "unlock": .unlock(try lock(), try lockFlags(), valueBlock: try valueBlock())
    case "cancel": .cancel(try lock())
    case "abandon": .abandon(try lock())
    case "purge":
      .purge(try nodes([try require(node, "node")])[0], processID: pid ?? 0)
    case "dump": .dump
    case "leave": .leave
    default: throw RequestError("there is no operation \"\(op)\"")
    }
  }

  private func require<Value>(_ value: Value?, _ field: String) throws(RequestError) -> Value {
    guard let value else { throw RequestError("op \(op) needs the field \"\(field)\"") }
    return value
  }

  private func nodes(_ numbers: [Int32]) throws(RequestError) -> [NodeID] {
    var nodes: [NodeID] = []
    for number in numbers {
      guard let node = NodeID(number) else { throw RequestError("\(number) is no node id") }
      guard !nodes.contains(node) else { throw RequestError("node \(node) is named twice") }
      nodes.append(node)
    }
    return nodes
  }

  private func parsedMembers() throws(RequestError) -> [Member] {
    var members = try nodes(require(self.members, "members")).map { Member($0) }
    for (text, weight) in weights ?? [:] {
      guard let index = members.firstIndex(where: { "\($0.node)" == text }) else {
        throw RequestError("a weight is given for \"\(text)\", which is no member")
      }
      guard (0...255).contains(weight) else {
        throw RequestError("the weight of node \(text) is not between 0 and 255")
      }
      members[index].weight = weight
    }
    return members
  }

  private func resourceName() throws(RequestError) -> ResourceName {
    let bytes =
      if let resourceHex {
        try Hexadecimal.bytes(resourceHex, field: "resource_hex")
      } else {
        Array(try require(resource, "resource").utf8)
      }
    guard let name = ResourceName(bytes) else {
      throw RequestError(
        "a resource name has 1 to \(ResourceName.maximumLength) bytes, not \(bytes.count)")
    }
    return name
  }

  private func lockMode() throws(RequestError) -> LockMode {
    let name = try require(mode, "mode")
    guard let mode = LockMode(name: name), mode != .iv else {
      throw RequestError("mode \"\(name)\" is none of NL, CR, CW, PR, PW, EX")
    }
    return mode
  }

  private func lockFlags() throws(RequestError) -> LockFlags {
    var all: LockFlags = []
    for name in flags ?? [] {
      guard let flag = LockFlags(name: name) else {
        throw RequestError("there is no flag \"\(name)\"")
      }
      all.insert(flag)
    }
    return all
  }

  private func valueBlock() throws(RequestError) -> [UInt8]? {
    guard let lvb else { return nil }
    return try Hexadecimal.bytes(lvb, field: "lvb")
  }

  private func lock() throws(RequestError) -> UInt64 { try require(lkid, "lkid") }
}
