import ByteCoding
import ClusterTypes

// What clvmd and its keeper say to each other, over two SOCK_SEQPACKET connections of one socket: on
// the one the daemon asks and waits for each answer; on the other it sends leases without waiting, and
// the keeper sends what the kernel announces. A datagram is a message; numbers are little-endian.

/// Asked by the daemon; each but `lease` and `bind` on its own connection, and answered.
public enum KeeperRequest: Hashable, Sendable {
  /// The first on either connection. One daemon at a time.
  case hello(version: UInt16, KeeperConnectionRole)
  /// Arms the watchdog at `device`, or sets another timeout; petted every `petMilliseconds`.
  case arm(device: String, timeoutMilliseconds: UInt32, petMilliseconds: UInt32)
  /// Opens the kernel's lock manager: its monitor, and its announcements.
  case control
  /// Replaces the table.
  case note(KernelTable)
  /// Answers the join or leave that the kernel announced under `sequence`, once.
  case answer(directory: String, sequence: UInt64, result: Int32)
  /// True: from now on petting goes by lease. False: nothing is left that may write.
  case bind(Bool)
  /// Until this moment of the boot-time clock, in nanoseconds, a bound keeper may pet.
  case lease(until: UInt64)
  /// Reset the machine at once.
  case reset(reason: String)
  /// The daemon ends, and nothing is left that may write: everything is given up in good order.
  case farewell
}

public enum KeeperConnectionRole: UInt8, Hashable, Sendable {
  case calls = 0
  case events
}

/// Said by the keeper.
public enum KeeperReply: Hashable, Sendable {
  case done
  /// To `hello` on the connection for calls: what outlived the daemon before.
  case welcome(KeeperState)
  /// The watchdog is armed.
  case armed(WatchdogFacts)
  /// `answer` came before; nothing was written.
  case answeredBefore
  case refused(reason: String)
  /// On the connection for events: one of the kernel's announcements as it came.
  case announced([UInt8])
  /// The kernel dropped announcements.
  case announcementsLost
}

/// What a daemon finds when it connects.
public struct KeeperState: Hashable, Sendable {
  public var table: KernelTable
  /// Petting goes by lease: an earlier daemon left what may write.
  public var isBound: Bool
  /// The monitor is open.
  public var isControlling: Bool
  public var watchdog: WatchdogFacts?

  public init(
    table: KernelTable = KernelTable(), isBound: Bool = false, isControlling: Bool = false,
    watchdog: WatchdogFacts? = nil
  ) {
    self.table = table
    self.isBound = isBound
    self.isControlling = isControlling
    self.watchdog = watchdog
  }
}

/// An armed watchdog as it describes itself.
public struct WatchdogFacts: Hashable, Sendable {
  public var device: String
  /// The driver's name for itself, such as `Software Watchdog`.
  public var identity: String
  /// As read back from the device.
  public var timeoutMilliseconds: UInt32

  public init(device: String, identity: String, timeoutMilliseconds: UInt32) {
    self.device = device
    self.identity = identity
    self.timeoutMilliseconds = timeoutMilliseconds
  }
}

/// Bounds and version of the messages.
public enum KeeperProtocol {
  public static let version: UInt16 = 1
  /// Largest message: a full table.
  public static let maximumBytes = 192 << 10
  public static let maximumText = 512
  /// The kernel composes an announcement in 2 KiB.
  public static let maximumAnnouncement = 8 << 10
  public static let standardSocket = "/run/clvmd-keeper/socket"
}

extension KeeperRequest {
  public var encoded: [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .hello(let version, let role):
      writer.write(UInt8(0))
      writer.write(version)
      writer.write(role.rawValue)
    case .arm(let device, let timeout, let pet):
      writer.write(UInt8(1))
      writer.writeString(device)
      writer.write(timeout)
      writer.write(pet)
    case .control: writer.write(UInt8(2))
    case .note(let table):
      writer.write(UInt8(3))
      writer.write(table)
    case .answer(let directory, let sequence, let result):
      writer.write(UInt8(4))
      writer.writeString(directory)
      writer.write(sequence)
      writer.write(result)
    case .bind(let isBound):
      writer.write(UInt8(5))
      writer.write(isBound ? UInt8(1) : 0)
    case .lease(let until):
      writer.write(UInt8(6))
      writer.write(until)
    case .reset(let reason):
      writer.write(UInt8(7))
      writer.writeString(String(reason.prefix(KeeperProtocol.maximumText / 4)))
    case .farewell: writer.write(UInt8(8))
    }
    return writer.bytes
  }

  /// Total: anything but a whole known request throws.
  public init(decoding bytes: some Collection<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(Array(bytes))
    switch try reader.read(UInt8.self) {
    case 0:
      let version = try reader.read(UInt16.self)
      guard let role = KeeperConnectionRole(rawValue: try reader.read(UInt8.self)) else {
        throw .invalid("role")
      }
      self = .hello(version: version, role)
    case 1:
      self = .arm(
        device: try reader.readString(limit: KeeperProtocol.maximumText),
        timeoutMilliseconds: try reader.read(UInt32.self),
        petMilliseconds: try reader.read(UInt32.self))
    case 2: self = .control
    case 3: self = .note(try reader.readTable())
    case 4:
      self = .answer(
        directory: try reader.readString(limit: 256), sequence: try reader.read(UInt64.self),
        result: try reader.read(Int32.self))
    case 5: self = .bind(try reader.readFlag())
    case 6: self = .lease(until: try reader.read(UInt64.self))
    case 7: self = .reset(reason: try reader.readString(limit: KeeperProtocol.maximumText))
    case 8: self = .farewell
    case let other: throw .invalid("request \(other)")
    }
    try reader.expectEnd()
  }
}

extension KeeperReply {
  public var encoded: [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .done: writer.write(UInt8(0))
    case .welcome(let state):
      writer.write(UInt8(1))
      writer.write(state.table)
      writer.write(state.isBound ? UInt8(1) : 0)
      writer.write(state.isControlling ? UInt8(1) : 0)
      writer.writeList(state.watchdog.map { [$0] } ?? []) { $0.write($1) }
    case .armed(let facts):
      writer.write(UInt8(2))
      writer.write(facts)
    case .answeredBefore: writer.write(UInt8(3))
    case .refused(let reason):
      writer.write(UInt8(4))
      writer.writeString(String(reason.prefix(KeeperProtocol.maximumText / 4)))
    case .announced(let datagram):
      writer.write(UInt8(5))
      writer.writeCounted(datagram.prefix(KeeperProtocol.maximumAnnouncement))
    case .announcementsLost: writer.write(UInt8(6))
    }
    return writer.bytes
  }

  /// Total: anything but a whole known reply throws.
  public init(decoding bytes: some Collection<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(Array(bytes))
    switch try reader.read(UInt8.self) {
    case 0: self = .done
    case 1:
      self = .welcome(
        KeeperState(
          table: try reader.readTable(), isBound: try reader.readFlag(),
          isControlling: try reader.readFlag(),
          watchdog: try reader.readList(
            limit: 1, { reader throws(ByteDecodingError) in try reader.readWatchdog() }
          ).first))
    case 2: self = .armed(try reader.readWatchdog())
    case 3: self = .answeredBefore
    case 4: self = .refused(reason: try reader.readString(limit: KeeperProtocol.maximumText))
    case 5:
      self = .announced(
        Array(try reader.readCounted(limit: KeeperProtocol.maximumAnnouncement)))
    case 6: self = .announcementsLost
    case let other: throw .invalid("reply \(other)")
    }
    try reader.expectEnd()
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ facts: WatchdogFacts) {
    writeString(facts.device)
    writeString(facts.identity)
    write(facts.timeoutMilliseconds)
  }
}

extension ByteReader {
  fileprivate mutating func readFlag() throws(ByteDecodingError) -> Bool {
    switch try read(UInt8.self) {
    case 0: false
    case 1: true
    default: throw .invalid("flag")
    }
  }

  fileprivate mutating func readWatchdog() throws(ByteDecodingError) -> WatchdogFacts {
    WatchdogFacts(
      device: try readString(limit: KeeperProtocol.maximumText),
      identity: try readString(limit: KeeperProtocol.maximumText),
      timeoutMilliseconds: try read(UInt32.self))
  }
}
