import ClusterSimulation
import LVMMetadata

/// A write of a change to one of several devices.
struct RecordedWrite {
  let device: Int
  let offset: UInt64
  let bytes: [UInt8]

  var sectorCount: Int { bytes.count / 512 }
}

/// Everything that power loss can leave of the writes between two flushes: any sectors of any of
/// them, in any order, and one sector, the one under the head, in part.
struct CrashState {
  /// Whether each sector of each write has arrived.
  var arrived: [[Bool]]
  /// A sector of which only the first bytes are new.
  var torn: (write: Int, sector: Int, byteCount: Int)?

  func apply(_ epoch: [RecordedWrite], to devices: [MemoryDevice]) throws {
    for (index, write) in epoch.enumerated() {
      for sector in 0..<write.sectorCount where arrived[index][sector] {
        let bytes = write.bytes[(sector * 512)..<(sector * 512 + 512)]
        devices[write.device].store(Array(bytes), at: write.offset + UInt64(sector * 512))
      }
    }
    guard let torn else { return }
    let write = epoch[torn.write]
    let start = torn.sector * 512
    devices[write.device].store(
      Array(write.bytes[start..<(start + torn.byteCount)]), at: write.offset + UInt64(start))
  }

  /// All states where there are few; else all that lose whole writes, all that lose or keep a
  /// single sector, and some of the others.
  static func all(
    of epoch: [RecordedWrite], using generator: inout SeededGenerator
  ) -> [CrashState] {
    let counts = epoch.map(\.sectorCount)
    let total = counts.reduce(0, +)
    var masks: [[Bool]] = []
    if total <= 7 {
      for mask in 0..<(1 << total) { masks.append((0..<total).map { mask >> $0 & 1 == 1 }) }
    } else {
      for mask in 0..<(1 << min(epoch.count, 6)) {
        masks.append(
          counts.enumerated().flatMap { index, count in
            [Bool](repeating: mask >> (index % 6) & 1 == 1, count: count)
          })
      }
      for sector in 0..<total {
        masks.append((0..<total).map { $0 == sector })
        masks.append((0..<total).map { $0 != sector })
        masks.append((0..<total).map { $0 < sector })
      }
      for _ in 0..<24 { masks.append((0..<total).map { _ in generator.chance(50) }) }
    }
    var states = masks.map { CrashState(arrived: split($0, counts), torn: nil) }
    states += tornStates(counts)
    return states
  }

  /// One sector of one write in part, with every combination of the other writes around it.
  private static func tornStates(_ counts: [Int]) -> [CrashState] {
    var states: [CrashState] = []
    for write in counts.indices {
      for sector in 0..<min(counts[write], 2) {
        for mask in 0..<(1 << min(counts.count, 4)) where mask >> (write % 4) & 1 == 0 {
          let arrived = counts.enumerated().map { index, count in
            [Bool](repeating: index != write && mask >> (index % 4) & 1 == 1, count: count)
          }
          for byteCount in [1, 60, 256] {
            states.append(CrashState(arrived: arrived, torn: (write, sector, byteCount)))
          }
        }
      }
    }
    return states
  }

  private static func split(_ mask: [Bool], _ counts: [Int]) -> [[Bool]] {
    var rest = mask[...]
    return counts.map { count in
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
  }
}

extension SampleGroup {
  /// The writes of a change, cut where every device was flushed.
  static func epochs(of devices: [MemoryDevice], tag: String) throws -> [[RecordedWrite]] {
    var epochs: [[RecordedWrite]] = [[]]
    var flushed: Set<Int> = []
    for (index, device) in devices.enumerated() {
      device.observer = { event in
        switch event {
        case .write(let offset, let bytes):
          if !flushed.isEmpty {
            epochs.append([])
            flushed = []
          }
          epochs[epochs.count - 1].append(
            RecordedWrite(device: index, offset: offset, bytes: bytes))
        case .flush: flushed.insert(index)
        }
      }
    }
    try change(devices, tag: tag)
    return epochs
  }
}
