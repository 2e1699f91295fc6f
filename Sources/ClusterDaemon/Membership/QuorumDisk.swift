import BlockDevices
import ClusterMembership
import LVMMetadata
import Synchronization

/// A quorum disk: a small block device that all nodes share, read and written past the page cache.
///
/// All calls block, for as long as the disk hangs; one thread makes them.
final class QuorumDisk: Sendable {
  let layout: QuorumDiskLayout
  private let device: BlockDevice
  private let slot: NodeSlot
  private let slots: Mutex<[NodeSlot]>

  /// Opens `path` for the node in `slot`.
  ///
  /// - Parameter slots: those of all configured nodes.
  init(path: String, clusterID: UInt64, slot: NodeSlot, slots: [NodeSlot]) throws {
    device = try BlockDevice(path: path, access: .readWrite)
    guard let layout = Self.layout(in: try device.read(at: 0, count: 4096)) else {
      throw DaemonError("\(path) is no quorum disk; make it one with: clvmd --make-quorum-disk")
    }
    self.layout = layout
    guard layout.clusterID == clusterID else {
      throw DaemonError("\(path) is the quorum disk of another cluster")
    }
    guard layout.blockSize.isMultiple(of: device.logicalSectorSize) else {
      throw DaemonError(
        "\(path) has sectors of \(device.logicalSectorSize) bytes, and was made a quorum disk with "
          + "blocks of \(layout.blockSize)")
    }
    self.slot = slot
    self.slots = Mutex(slots)
  }

  /// These nodes are configured now: what any of them has written counts.
  func follow(_ configured: NodeSet) { slots.withLock { $0 = Array(configured) } }

  /// The layout that the first bytes of a device tell; nil if it is no quorum disk.
  private static func layout(in bytes: [UInt8]) -> QuorumDiskLayout? {
    for size in [512, 1024, 2048, 4096] where size <= bytes.count {
      if let layout = try? QuorumDiskLayout(regionHeader: Array(bytes[..<size])),
        layout.blockSize == size
      {
        return layout
      }
    }
    return nil
  }

  /// Makes a device the quorum disk of a cluster. Refuses one that holds anything else.
  static func make(path: String, clusterID: UInt64) throws {
    let device = try BlockDevice(path: path, access: .readWrite)
    guard
      let layout = QuorumDiskLayout(
        clusterID: clusterID, blockSize: max(512, device.logicalSectorSize))
    else {
      throw DaemonError("\(path) has sectors of \(device.logicalSectorSize) bytes, above 4096")
    }
    guard device.sizeBytes >= UInt64(layout.byteCount) else {
      throw DaemonError(
        "\(path) has \(device.sizeBytes) bytes, and a quorum disk needs \(layout.byteCount)")
    }
    let first = try device.read(at: 0, count: 1 << 20)
    if let old = Self.layout(in: first) {
      guard old.clusterID != clusterID else {
        throw DaemonError("\(path) is the quorum disk of this cluster already")
      }
      throw DaemonError(
        "\(path) is the quorum disk of another cluster; clear its first mebibyte if that is gone")
    }
    guard first.allSatisfy({ $0 == 0 }) else {
      throw DaemonError(
        "\(path) is not empty: clear its first mebibyte if nothing on it is needed")
    }
    try clear(device, layout)
    try device.write(layout.regionHeader, at: 0)
  }

  /// Stale slots must not be taken for votes.
  private static func clear(_ device: BlockDevice, _ layout: QuorumDiskLayout) throws {
    let piece = [UInt8](repeating: 0, count: 64 * 4096)
    var offset = layout.blockSize
    while offset < layout.byteCount {
      let count = min(piece.count, layout.byteCount - offset)
      try device.write(Array(piece[..<count]), at: UInt64(offset))
      offset += count
    }
  }

  /// Writes the own slot, if the round says so, and reads all.
  func run(_ round: DiskRound) throws -> DiskRoundResult {
    if let write = round.write {
      let encoded = layout.encode(write)
      if !encoded.body.isEmpty {
        try device.write(
          encoded.body, at: UInt64(layout.bodyOffset(slot, counter: write.counter)))
      }
      try device.write(
        encoded.header, at: UInt64(layout.headerOffset(slot, counter: write.counter)))
    }
    var found: [DiskSlot] = []
    var mailbox: DiskMail?
    for slot in slots.withLock(\.self) {
      // Both headers and the mailbox lie behind each other.
      let start = layout.headerOffset(slot, counter: 0)
      let size = layout.blockSize
      let blocks = try device.read(at: UInt64(start), count: 3 * size)
      let headers = [Array(blocks[..<size]), Array(blocks[size..<(2 * size)])]
      var failure: (any Error)?
      let decoded = try layout.decode(slot, headers: headers) { counter in
        do {
          return try device.read(
            at: UInt64(layout.bodyOffset(slot, counter: counter)), count: QuorumDiskLayout.bodyBytes
          )
        } catch {
          failure = error
          return nil
        }
      }
      if let failure { throw failure }
      if let decoded { found.append(decoded) }
      if slot == self.slot { mailbox = layout.decodeMail(Array(blocks[(2 * size)...])) }
    }
    return .read(found, mailbox: mailbox)
  }

  func write(_ mail: DiskMail) throws {
    try device.write(layout.encode(mail), at: UInt64(layout.mailOffset(mail.victim)))
  }
}
