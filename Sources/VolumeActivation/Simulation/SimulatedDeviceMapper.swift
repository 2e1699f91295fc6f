/// A device-mapper in memory that answers as the kernel does: the twin for tests and simulation.
///
/// It checks what I/O would see: tables over absent or short devices are refused, suspended
/// devices queue I/O, and every load while a device is suspended is recorded, because a real
/// kernel might deadlock there (dm-activation 4).
public struct SimulatedDeviceMapper: DeviceMapping, Sendable {
  /// What a sector of a mapped device leads to.
  public enum Access: Hashable, Sendable {
    case served(TableArea)
    /// The device is suspended.
    case queued
    /// No device, no table, beyond the end, or a target that is not simulated.
    case failed
  }

  /// One operation that was asked for, failed ones included.
  public struct JournalEntry: Hashable, Sendable, CustomStringConvertible {
    public let operation: DeviceMapperOperation
    /// The name of the device at that time, or its UUID if it did not exist.
    public let device: String

    public var description: String { "\(operation.rawValue) \(device)" }
  }

  /// An operation that is to fail.
  public struct Failure: Hashable, Sendable {
    public let operation: DeviceMapperOperation
    /// Nil means any device.
    public let device: MappedDeviceUUID?
    /// The error number to fail with.
    public let code: Int32
    /// How many matching operations succeed first.
    public var skipCount: Int

    public init(
      of operation: DeviceMapperOperation, on device: MappedDeviceUUID? = nil, code: Int32 = 5,
      afterSkipping skipCount: Int = 0
    ) {
      self.operation = operation
      self.device = device
      self.code = code
      self.skipCount = skipCount
    }
  }

  struct Slot: Sendable {
    let table: DeviceTable
    let isReadOnly: Bool
  }

  struct Device: Sendable {
    var name: String
    let number: DeviceNumber
    var live: Slot?
    var inactive: Slot?
    var isSuspended = false
    /// By mounts and processes; tables count on their own.
    var openCount = 0
    /// Of a thin pool; kept by its metadata when the pool is not active.
    var transactionID: UInt64 = 0
    /// What a thin pool was told.
    var messages: [String] = []
    var eventNumber: UInt32 = 0
  }

  var mapped: [MappedDeviceUUID: Device] = [:]
  /// Sizes in sectors of the block devices that tables may refer to.
  public var blockDevices: [DeviceNumber: UInt64]
  /// Each fails one operation and is then used up.
  public var failures: [Failure] = []
  public internal(set) var journal: [JournalEntry] = []
  /// How devices were suspended, in order.
  public internal(set) var suspendModes: [SuspendMode] = []
  /// What thin pools that are made from now on know already.
  public var initialTransactionID: UInt64 = 0
  /// Devices into which a table was loaded while some device was suspended.
  public internal(set) var unsafeLoads: [MappedDeviceUUID] = []

  /// The kernel's usual major number for mapped devices.
  static let major: UInt32 = 254

  public init(blockDevices: [DeviceNumber: UInt64]) {
    self.blockDevices = blockDevices
  }

  public var suspendedDevices: Set<MappedDeviceUUID> {
    Set(mapped.filter(\.value.isSuspended).keys)
  }

  /// Changes how often a device is open, as mounting and unmounting do.
  public mutating func setOpenCount(_ count: Int, of device: MappedDeviceUUID) {
    mapped[device]?.openCount = count
  }

  /// Mounts, processes, and the tables of other devices, waiting ones included.
  func openCount(of device: Device) -> Int {
    mapped.values.reduce(device.openCount) { count, other in
      let tables = [other.live?.table, other.inactive?.table].compactMap { $0 }
      return count
        + tables.count { $0.lines.contains { $0.target.numbers.contains(device.number) } }
    }
  }

  /// What a thin pool was told, in order.
  public func messages(to pool: MappedDeviceUUID) -> [String] { mapped[pool]?.messages ?? [] }

  /// Forgets the operations so far.
  public mutating func clearJournal() { journal = [] }

  /// Where I/O to `sector` of a mapped device goes now.
  public func access(sector: UInt64, of device: MappedDeviceUUID) -> Access {
    guard let found = mapped[device], let live = found.live else { return .failed }
    if found.isSuspended { return .queued }
    guard
      let line = live.table.lines.first(where: {
        $0.start <= sector && sector - $0.start < $0.length
      })
    else { return .failed }
    let offset = sector - line.start
    switch line.target {
    case .linear(let area):
      return .served(TableArea(device: area.device, offset: area.offset + offset))
    case .striped(let target):
      let (stripe, within) = offset.quotientAndRemainder(dividingBy: target.stripeSize)
      let (row, column) = stripe.quotientAndRemainder(dividingBy: UInt64(target.areas.count))
      let area = target.areas[Int(column)]
      return .served(
        TableArea(device: area.device, offset: area.offset + row * target.stripeSize + within))
    case .opaque:
      return .failed
    }
  }
}
