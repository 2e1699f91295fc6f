import ByteCoding

// PERSISTENT RESERVE IN and OUT (SPC-4, 6.15 and 6.16), and what a device answers. Numbers on this wire
// are big-endian.

/// A SCSI command with its direction.
public struct SCSICommand: Hashable, Sendable {
  /// The command descriptor block.
  public var block: [UInt8]
  public var data: Data

  public enum Data: Hashable, Sendable {
    case send([UInt8])
    /// At most this many bytes.
    case receive(Int)
  }
}

/// Who may do what while a reservation stands. Only the type that clvmd uses has a name.
public struct ReservationType: Hashable, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Everybody may read, whoever is registered may write; it stands as long as its holder is
  /// registered.
  public static let writeExclusiveRegistrantsOnly = Self(rawValue: 5)
}

/// The service actions that clvmd uses.
public enum ReservationCommand: Hashable, Sendable {
  case readKeys
  case readReservation
  case reportCapabilities
  /// Registers `key` on a path that has none; one that has is not touched, and answers with a conflict.
  case register(key: ReservationKey, persists: Bool)
  /// Registers `key` whatever this path had registered before; zero unregisters. `persists`: the
  /// device keeps it over a loss of power (APTPL).
  case registerAndIgnore(key: ReservationKey?, persists: Bool)
  case reserve(key: ReservationKey, ReservationType)
  case release(key: ReservationKey, ReservationType)
  /// Takes the registration, and the reservation if it is its, of `victim` away. `aborts`: and ends
  /// its commands that the device has not carried out.
  case preempt(key: ReservationKey, victim: ReservationKey, ReservationType, aborts: Bool)

  /// Room for every key of a cluster on many paths: 8 bytes of header and 8 a key.
  static let readLimit = 8 + 8 * 512

  public var command: SCSICommand {
    switch self {
    case .readKeys: Self.input(action: 0)
    case .readReservation: Self.input(action: 1)
    case .reportCapabilities: Self.input(action: 2)
    case .register(let key, let persists):
      Self.output(action: 0, type: 0, key: 0, actionKey: key.rawValue, persists: persists)
    case .registerAndIgnore(let key, let persists):
      Self.output(action: 6, type: 0, key: 0, actionKey: key?.rawValue ?? 0, persists: persists)
    case .reserve(let key, let type):
      Self.output(action: 1, type: type.rawValue, key: key.rawValue, actionKey: 0)
    case .release(let key, let type):
      Self.output(action: 2, type: type.rawValue, key: key.rawValue, actionKey: 0)
    case .preempt(let key, let victim, let type, let aborts):
      Self.output(
        action: aborts ? 5 : 4, type: type.rawValue, key: key.rawValue,
        actionKey: victim.rawValue)
    }
  }

  /// Allocation length at bytes 7 and 8.
  private static func input(action: UInt8) -> SCSICommand {
    var block: [UInt8] = [0x5E, action, 0, 0, 0, 0, 0, 0, 0, 0]
    block[7] = UInt8(readLimit >> 8 & 0xFF)
    block[8] = UInt8(readLimit & 0xFF)
    return SCSICommand(block: block, data: .receive(readLimit))
  }

  /// Scope 0 (the logical unit) and the type in byte 2; the parameter list's length at bytes 5 to 8.
  private static func output(
    action: UInt8, type: UInt8, key: UInt64, actionKey: UInt64, persists: Bool = false
  ) -> SCSICommand {
    var list = ByteWriter(reservingCapacity: 24)
    list.writeBigEndian(key)
    list.writeBigEndian(actionKey)
    list.writeZeros(4)
    list.write(UInt8(persists ? 1 : 0))
    list.writeZeros(3)
    return SCSICommand(
      block: [0x5F, action, type, 0, 0, 0, 0, 0, UInt8(list.count), 0], data: .send(list.bytes))
  }
}

/// READ KEYS.
public struct RegisteredKeys: Hashable, Sendable {
  /// Rises with every change of registrations.
  public var generation: UInt32
  /// One for each path that has registered: a node with two paths is in it twice.
  public var keys: [ReservationKey]

  /// Total; a list that the device cut short is an error, because a missing key is taken for one that
  /// cannot write.
  public init(decoding bytes: some Collection<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(Array(bytes))
    generation = try reader.readBigEndian()
    let length = Int(try reader.readBigEndian(UInt32.self))
    guard length % 8 == 0 else { throw .invalid("a key list of \(length) bytes") }
    guard length <= reader.remaining else {
      throw .invalid("a key list of \(length) bytes, of which \(reader.remaining) came")
    }
    keys = []
    for _ in 0..<(length / 8) {
      keys.append(ReservationKey(rawValue: try reader.readBigEndian()))
    }
  }
}

/// READ RESERVATION.
public struct CurrentReservation: Hashable, Sendable {
  public var generation: UInt32
  /// Nil when nothing is reserved.
  public var holder: Holder?

  public struct Holder: Hashable, Sendable {
    /// Zero where all registrants hold it.
    public var key: ReservationKey
    /// 0 for the logical unit, the only one in use.
    public var scope: UInt8
    public var type: ReservationType
  }

  public init(decoding bytes: some Collection<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(Array(bytes))
    generation = try reader.readBigEndian()
    let length = Int(try reader.readBigEndian(UInt32.self))
    guard length != 0 else { return }
    guard length >= 16, length <= reader.remaining else {
      throw .invalid("a reservation of \(length) bytes")
    }
    let key: UInt64 = try reader.readBigEndian()
    _ = try reader.readBytes(5)
    let scopeAndType: UInt8 = try reader.read()
    holder = Holder(
      key: ReservationKey(rawValue: key), scope: scopeAndType >> 4,
      type: ReservationType(rawValue: scopeAndType & 0x0F))
  }
}

/// REPORT CAPABILITIES.
public struct ReservationCapabilities: Hashable, Sendable {
  /// Registrations can be kept over a loss of power.
  public var canPersist: Bool
  /// They are kept: the last registration asked for it.
  public var persists: Bool
  /// Nil when the device does not say which types it has.
  public var hasWriteExclusiveRegistrantsOnly: Bool?

  public init(decoding bytes: some Collection<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(Array(bytes))
    let length: UInt16 = try reader.readBigEndian()
    guard length >= 8 else { throw .invalid("capabilities of \(length) bytes") }
    let first: UInt8 = try reader.read()
    let second: UInt8 = try reader.read()
    let types: UInt8 = try reader.read()
    canPersist = first & 0x01 != 0
    persists = second & 0x01 != 0
    // Valid only if the mask is: type 5 is bit 5 of its first byte.
    hasWriteExclusiveRegistrantsOnly = second & 0x80 == 0 ? nil : types & 0x20 != 0
  }
}

/// How a device answered a command.
public enum SCSIStatus: Hashable, Sendable {
  case good
  /// Another one holds a reservation that excludes this path, or its key is gone.
  case reservationConflict
  case checkCondition(SCSISense?)
  case other(UInt8)

  /// From a status byte and sense data.
  public init(_ status: UInt8, sense: some Collection<UInt8>) {
    switch status {
    case 0x00: self = .good
    case 0x18: self = .reservationConflict
    case 0x02: self = .checkCondition(SCSISense(sense))
    default: self = .other(status)
    }
  }
}

/// Sense data of either format (SPC-4, 4.5).
public struct SCSISense: Hashable, Sendable {
  public var key: UInt8
  /// Additional sense code and its qualifier.
  public var code: UInt8
  public var qualifier: UInt8

  public init(key: UInt8, code: UInt8, qualifier: UInt8) {
    self.key = key
    self.code = code
    self.qualifier = qualifier
  }

  /// Nil for anything that is too short or of no known format.
  public init?(_ bytes: some Collection<UInt8>) {
    let bytes = Array(bytes)
    guard let first = bytes.first else { return nil }
    switch first & 0x7F {
    case 0x70, 0x71:
      guard bytes.count >= 8 else { return nil }
      let hasCodes = bytes.count >= 14 && bytes[7] >= 6
      self.init(
        key: bytes[2] & 0x0F, code: hasCodes ? bytes[12] : 0, qualifier: hasCodes ? bytes[13] : 0)
    case 0x72, 0x73:
      guard bytes.count >= 4 else { return nil }
      self.init(key: bytes[1] & 0x0F, code: bytes[2], qualifier: bytes[3])
    default: return nil
    }
  }

  /// ILLEGAL REQUEST for the command itself, or for a field of it: the device has no persistent
  /// reservations, or not these.
  public var isUnsupported: Bool {
    key == 0x05 && (code == 0x20 || code == 0x24 || code == 0x25 || code == 0x26)
  }

  /// UNIT ATTENTION: something happened to this path before; the command was not carried out, and can
  /// be sent again.
  public var isUnitAttention: Bool { key == 0x06 }

  public var description: String {
    func hex(_ value: UInt8) -> String { (value < 16 ? "0" : "") + String(value, radix: 16) }
    return "sense \(hex(key))/\(hex(code))/\(hex(qualifier))"
  }
}
