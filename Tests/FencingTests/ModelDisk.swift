import ByteCoding

@testable import Fencing

/// A disk that follows SPC-4's rules of persistent reservations, for several paths.
final class ModelDisk {
  var registrations: [(path: Int, key: UInt64)] = []
  var holder: (path: Int, key: UInt64, type: UInt8)?
  var generation: UInt32 = 0
  var persists = false
  /// Unit attentions that a path will be told before its next command.
  var attentions: [Int: Int] = [:]
  /// What the device cannot do.
  var canPersist = true
  var hasReservations = true
  /// Commands that reached the disk and were not carried out when a preempt-and-abort came.
  var aborted: [Int] = []
  /// Called before a registration of a path that had none.
  var beforeRegistering: (() -> Void)?
  /// Ignores preempts, as broken firmware might.
  var ignoresPreempt = false

  /// Whether a write on `path` is carried out now.
  func mayWrite(_ path: Int) -> Bool {
    guard let holder else { return true }
    return holder.type == 5
      ? registrations.contains { $0.path == path } : holder.path == path
  }

  func key(of path: Int) -> UInt64? { registrations.first { $0.path == path }?.key }
}

/// One path to it.
struct ModelPath: ReservationTarget {
  let disk: ModelDisk
  let path: Int
  var name: String { "/dev/model-\(path)" }

  mutating func perform(
    _ command: SCSICommand
  ) throws(ReservationError) -> (status: SCSIStatus, data: [UInt8]) {
    let invalid = SCSIStatus.checkCondition(SCSISense(key: 5, code: 0x20, qualifier: 0))
    guard disk.hasReservations else { return (invalid, []) }
    if let waiting = disk.attentions[path], waiting > 0 {
      disk.attentions[path] = waiting - 1
      return (.checkCondition(SCSISense(key: 6, code: 0x2A, qualifier: 5)), [])
    }
    switch command.block[0] {
    case 0x5E: return (.good, Array(input(command.block[1]).prefix(limit(command))))
    case 0x5F:
      guard case .send(let list) = command.data, list.count == 24, command.block[8] == 24 else {
        return (.checkCondition(SCSISense(key: 5, code: 0x1A, qualifier: 0)), [])
      }
      return (output(command.block[1], type: command.block[2] & 0x0F, list), [])
    default: return (invalid, [])
    }
  }

  private func limit(_ command: SCSICommand) -> Int {
    Int(command.block[7]) << 8 | Int(command.block[8])
  }

  private func input(_ action: UInt8) -> [UInt8] {
    var writer = ByteWriter()
    switch action {
    case 0:
      writer.writeBigEndian(disk.generation)
      writer.writeBigEndian(UInt32(8 * disk.registrations.count))
      for registration in disk.registrations { writer.writeBigEndian(registration.key) }
    case 1:
      writer.writeBigEndian(disk.generation)
      writer.writeBigEndian(UInt32(disk.holder == nil ? 0 : 16))
      if let holder = disk.holder {
        writer.writeBigEndian(holder.key)
        writer.writeZeros(5)
        writer.write(holder.type)
        writer.writeZeros(2)
      }
    default:
      writer.writeBigEndian(UInt16(8))
      writer.write(UInt8(disk.canPersist ? 1 : 0))
      writer.write(UInt8(0x80 | (disk.persists ? 1 : 0)))
      writer.write(UInt8(0xEA))
      writer.write(UInt8(1))
      writer.writeZeros(2)
    }
    return writer.bytes
  }

  private func output(_ action: UInt8, type: UInt8, _ list: [UInt8]) -> SCSIStatus {
    func number(_ offset: Int) -> UInt64 {
      list[offset..<(offset + 8)].reduce(0) { $0 << 8 | UInt64($1) }
    }
    let (key, actionKey) = (number(0), number(8))
    if action == 0, disk.key(of: path) == nil, key == 0 {
      disk.beforeRegistering?()
      register(actionKey)
      return .good
    }
    if action == 6 {
      register(actionKey)
      disk.persists = list[20] & 1 != 0
      return .good
    }
    guard disk.key(of: path) == key else { return .reservationConflict }
    switch action {
    case 1:
      if let holder = disk.holder {
        return holder.path == path && holder.type == type ? .good : .reservationConflict
      }
      disk.holder = (path, key, type)
    case 2:
      if disk.holder?.path == path { disk.holder = nil }
    case 4, 5:
      guard disk.registrations.contains(where: { $0.key == actionKey }) else {
        return .reservationConflict
      }
      if !disk.ignoresPreempt { preempt(actionKey, by: key, type: type, aborts: action == 5) }
    default: return .checkCondition(SCSISense(key: 5, code: 0x24, qualifier: 0))
    }
    return .good
  }

  private func register(_ key: UInt64) {
    disk.registrations.removeAll { $0.path == path }
    if key != 0 { disk.registrations.append((path, key)) }
    if disk.holder?.path == path {
      if key == 0 { disk.holder = nil } else { disk.holder?.key = key }
    }
    disk.generation += 1
  }

  private func preempt(_ victim: UInt64, by key: UInt64, type: UInt8, aborts: Bool) {
    let paths = disk.registrations.filter { $0.key == victim && $0.path != path }.map(\.path)
    disk.registrations.removeAll { $0.key == victim && $0.path != path }
    for path in paths { disk.attentions[path, default: 0] += 1 }
    if aborts { disk.aborted += paths }
    if let holder = disk.holder, holder.key == victim { disk.holder = (path, key, type) }
    disk.generation += 1
  }
}
