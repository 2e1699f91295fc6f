import ByteCoding

/// Why a request is not carried out at all; what the client sees differs (section 2 and 18).
public enum ClusterLockingRequestError: Error, Equatable, Sendable {
  /// Not this protocol: the connection is closed without a word.
  case malformed(String)
  /// Too much of it is missing: a reply with this status, then the end of the connection.
  case tooLarge
  /// A whole request with a command or argument that makes no sense: a reply with this status.
  case refused(ClusterLockingStatus)
  /// The addressed nodes answer with this status: an operation on a volume that none knows.
  case refusedByNodes(ClusterLockingStatus, ClusterLockingRequest.Destination)
}

/// Errno values that stand in replies.
public enum ClusterLockingStatus: Int32, Sendable {
  case success = 0
  case noSuchNode = 2
  /// LVM code failed; the entry's text says why.
  case failed = 5
  case wouldBlock = 11
  case busy = 16
  case invalid = 22
  case timedOut = 110
  case notRunning = 112

  /// The C library's words, which the original puts into the entry of a node.
  public var text: String {
    switch self {
    case .success: ""
    case .noSuchNode: "No such file or directory"
    case .failed: "Input/output error"
    case .wouldBlock: "Resource temporarily unavailable"
    case .busy: "Device or resource busy"
    case .invalid: "Invalid argument"
    case .timedOut: "Command timed out"
    case .notRunning: "CLVMD not running"
    }
  }
}

/// Cuts a connection's bytes into requests.
///
/// A request has no length in front, only the length of its arguments in a header of variable size.
/// It may come in any number of pieces. Whatever follows it in the same piece is thrown away: no
/// client sends a request before the reply to the last one, and `clvmd -d` sends a stray byte
/// (clvmd-socket spec, section 2).
public struct ClusterLockingRequestBuffer: Sendable {
  static let fixedHeaderSize = 16
  static let nodeNameLengthMax = 254
  static let argumentLengthMax = 65_535
  /// What may be missing behind the first piece of a request.
  static let missingMax = 8_000

  private var bytes: [UInt8] = []
  private var firstPieceCount = 0

  public init() {}

  /// Whether a request has begun and not ended.
  public var isIncomplete: Bool { !bytes.isEmpty }

  /// Takes what was read; one whole request, or nil while it is incomplete.
  public mutating func append(
    _ piece: some Collection<UInt8>
  ) throws(ClusterLockingRequestError) -> ClusterLockingRequest? {
    if bytes.isEmpty { firstPieceCount = piece.count }
    bytes.append(contentsOf: piece)
    guard let size = try size() else { return nil }
    guard bytes.count >= size else { return nil }
    let request = bytes[..<size]
    bytes = []
    return try ClusterLockingRequest(decoding: Array(request))
  }

  /// Bytes of the request under way; nil while its header is incomplete.
  private func size() throws(ClusterLockingRequestError) -> Int? {
    guard bytes.count > Self.fixedHeaderSize else { return nil }
    // Whoever speaks something else need not come to the end of it.
    guard ClusterLockingRequest.Code.isKnown(bytes[0]) else {
      throw .malformed("there is no command \(bytes[0])")
    }
    guard ClusterLockingRequest.HeaderFlags(rawValue: bytes[1]).isSubset(of: .known) else {
      throw .malformed("unknown flags \(bytes[1])")
    }
    let nameStart = Self.fixedHeaderSize
    let nameLimit = nameStart + Self.nodeNameLengthMax + 1
    guard let nameEnd = bytes[nameStart...].prefix(nameLimit - nameStart).firstIndex(of: 0) else {
      if bytes.count >= nameLimit { throw .malformed("the name of a node has no end") }
      return nil
    }
    let argumentLength = ClusterLockingRequest.argumentLength(bytes)
    guard argumentLength <= Self.argumentLengthMax else {
      throw .malformed("\(argumentLength) bytes of arguments")
    }
    let size = nameEnd + 1 + argumentLength + 1
    guard size - min(firstPieceCount, bytes.count) <= Self.missingMax else { throw .tooLarge }
    return size
  }
}

extension ClusterLockingRequest {
  enum Code: UInt8 {
    case reply = 1
    case version = 2
    case goAway = 3
    case test = 4
    case lock = 30
    case unlock = 31
    case refresh = 40
    case clusterName = 41
    case setDebugLevel = 42
    case backUp = 43
    case restart = 44
    case syncNames = 45
    case lockVolume = 50
    case lockGroup = 51
    case query = 52

    static func isKnown(_ value: UInt8) -> Bool { Self(rawValue: value) != nil }
  }

  struct HeaderFlags: OptionSet {
    let rawValue: UInt8
    static let local = Self(rawValue: 1)
    static let systemVolume = Self(rawValue: 2)
    static let nodeErrors = Self(rawValue: 4)
    static let remote = Self(rawValue: 8)
    static let known: Self = [.local, .systemVolume, .nodeErrors, .remote]
  }

  /// Bits of the first argument byte of a lock request.
  private enum LockWord {
    static let typeMask: UInt8 = 0x07
    static let volumeScope: UInt8 = 0x08
    static let nonblocking: UInt8 = 0x10
    static let hold: UInt8 = 0x20
    static let clustered: UInt8 = 0x80
  }

  static func argumentLength(_ header: [UInt8]) -> Int {
    (0..<4).reduce(0) { $0 | Int(header[12 + $1]) << (8 * $1) }
  }

  /// Decodes one whole request, cut by `ClusterLockingRequestBuffer`.
  init(decoding bytes: [UInt8]) throws(ClusterLockingRequestError) {
    guard bytes.count >= 18, let code = Code(rawValue: bytes[0]),
      let nameEnd = bytes[16...].firstIndex(of: 0)
    else { throw .malformed("no header") }
    let name = String(decoding: bytes[16..<nameEnd], as: UTF8.self)
    destination = Self.destination(HeaderFlags(rawValue: bytes[1]), name)
    let arguments = bytes[(nameEnd + 1)...]
    switch code {
    case .reply, .version, .goAway, .lock, .unlock: throw .refused(.invalid)
    case .test: command = .test(try Self.text(arguments))
    case .refresh: command = .refresh
    case .clusterName: command = .clusterName
    case .setDebugLevel: command = .setDebugLevel(arguments.first ?? 0)
    case .restart: command = .restart
    case .backUp: command = .backUp(volumeGroup: try Self.text(arguments.dropFirst(2)))
    case .syncNames: command = .syncNames
    case .query: command = .query(resource: try Self.text(arguments.dropFirst(2)))
    case .lockVolume: command = .volume(try Self.volumeOperation(arguments, destination))
    case .lockGroup: command = try Self.groupCommand(arguments)
    }
  }

  private static func destination(_ flags: HeaderFlags, _ name: String) -> Destination {
    if flags.contains(.local) { return .thisNode }
    if !name.isEmpty { return .node(named: name) }
    return flags.contains(.remote) ? .otherNodes : .allNodes
  }

  private static func volumeOperation(
    _ arguments: ArraySlice<UInt8>, _ destination: Destination
  ) throws(ClusterLockingRequestError) -> VolumeOperation {
    let (word, options) = try lockWord(arguments)
    let volume = try text(arguments.dropFirst(2))
    guard let kind = VolumeOperation.Kind(rawValue: word & LockWord.typeMask),
      word & LockWord.volumeScope != 0
    else { throw .refusedByNodes(.invalid, destination) }
    return VolumeOperation(
      kind, volume, isClustered: word & LockWord.clustered != 0, options: options)
  }

  /// `P_` with a plain VG name locks nothing. The hold bit tells commit and revert from a drop;
  /// with `wait_for_locks = 0` it is missing, and a drop is all that can be made of it.
  private static func groupCommand(
    _ arguments: ArraySlice<UInt8>
  ) throws(ClusterLockingRequestError) -> Command {
    let (word, _) = try lockWord(arguments)
    let name = try text(arguments.dropFirst(2))
    if name.hasPrefix("P_"), !name.hasPrefix("P_#") {
      let group = String(name.dropFirst(2))
      switch word & (LockWord.typeMask | LockWord.hold) {
      case 0x24: return .cache(.init(.commit, group))
      case 0x21: return .cache(.init(.revert, group))
      default: return .cache(.init(.drop, group))
      }
    }
    guard name.hasPrefix("V_") && name.utf8.count > 2 || name == "P_#orphans" || name == "P_#global"
    else { throw .refused(.invalid) }
    let mode: ClusterLockingMode?
    switch word & LockWord.typeMask {
    case 1, 3: mode = .protectedRead
    case 4: mode = .protectedWrite
    case 5: mode = .exclusive
    case 6: mode = nil
    default: throw .refused(.invalid)
    }
    return .lock(
      GroupLockOperation(mode, name, isQueued: word & LockWord.nonblocking == 0))
  }

  private static func lockWord(
    _ arguments: ArraySlice<UInt8>
  ) throws(ClusterLockingRequestError) -> (word: UInt8, options: ClusterLockingOptions) {
    guard let word = arguments.first, let options = arguments.dropFirst().first else {
      throw .refused(.invalid)
    }
    return (word, ClusterLockingOptions(rawValue: options))
  }

  /// The text up to its NUL; names of LVM are printable ASCII without blanks.
  private static func text(
    _ bytes: ArraySlice<UInt8>
  ) throws(ClusterLockingRequestError) -> String {
    guard let end = bytes.firstIndex(of: 0) else { throw .refused(.invalid) }
    let run = bytes[bytes.startIndex..<end]
    guard run.allSatisfy({ (0x20..<0x7F).contains($0) }) else { throw .refused(.invalid) }
    return String(decoding: run, as: UTF8.self)
  }
}
