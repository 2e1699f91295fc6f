import ClusterTypes
import Glibc
import Testing

@testable import Fencing

/// Persistent reservations of a real target, on two of its paths that stand for two nodes. Needs
/// `CLVMD_TEST_RESERVATION_PATHS=/dev/sda,/dev/sdb`, whose content is lost; `Scripts/kernel-fencing`
/// gives it the kernel's own SCSI target.
@Suite struct RealReservationTests {
  private static let paths =
    getenv("CLVMD_TEST_RESERVATION_PATHS").map {
      String(cString: $0).split(separator: ",").map(String.init)
    } ?? []

  private func fencing(_ node: Int32) -> ReservationFencing {
    ReservationFencing(key: key(node), aborts: false)
  }

  private func key(_ node: Int32) -> ReservationKey {
    ReservationKey(
      clusterID: 7, node: NodeID(node).unsafelyUnwrapped, incarnation: Incarnation(1 << 32))
  }

  /// 0, or why a block could not be written through to the disk.
  private func write(to path: String) -> Int32 {
    let descriptor = open(path, O_WRONLY | O_SYNC | O_CLOEXEC)
    guard descriptor >= 0 else { return errno }
    defer { close(descriptor) }
    let block = [UInt8](repeating: 0x5A, count: 4096)
    guard pwrite(descriptor, block, block.count, 0) == block.count else { return errno }
    return fsync(descriptor) == 0 ? 0 : errno
  }

  @Test(
    .enabled(if: paths.count == 2, "CLVMD_TEST_RESERVATION_PATHS does not name two paths of a disk")
  )
  func `a fenced node cannot write, the other one can, and a rejoined one can again`() throws {
    var first = try SCSIDevice(path: Self.paths[0])
    var second = try SCSIDevice(path: Self.paths[1])
    try fencing(1).register(on: &first)
    try fencing(2).register(on: &second)
    #expect(write(to: Self.paths[0]) == 0)
    #expect(write(to: Self.paths[1]) == 0)
    #expect(Set(try fencing(1).state(of: &first).keys) == [key(1), key(2)])

    try fencing(1).fence(key(2), on: &first)
    #expect(write(to: Self.paths[0]) == 0)
    #expect(write(to: Self.paths[1]) != 0)
    #expect(try fencing(1).keepsAway(key(2), on: &first))
    let error = #expect(throws: ReservationError.self) { try fencing(2).fence(key(1), on: &second) }
    #expect(error?.kind == .evicted)

    try fencing(2).register(on: &second)
    #expect(write(to: Self.paths[1]) == 0)
    #expect(try !fencing(1).keepsAway(key(2), on: &first))
    try fencing(2).unregister(from: &second)
    try fencing(1).unregister(from: &first)
    #expect(try fencing(1).state(of: &first) == .init(keys: [], holder: nil))
  }

  @Test(
    .enabled(if: paths.count == 2, "CLVMD_TEST_RESERVATION_PATHS does not name two paths of a disk")
  )
  func `a path is found on its disk and on no other, and both have one name`() throws {
    let (first, second) = (Self.paths[0], Self.paths[1])
    #expect(try SCSIDevice.disks(under: first) == [String(first.dropFirst("/dev/".count))])
    #expect(try ReservationRunner.devices([first], notOn: [first, second]) == [])
    #expect(try ReservationRunner.devices([first, second], notOn: [first]) == [second])
    #expect(try SCSIDevice.identity(of: first) == SCSIDevice.identity(of: second))
    #expect(try ReservationRunner.name(of: [first]) == ReservationRunner.name(of: [first, second]))
  }

  @Test(.enabled(if: !paths.isEmpty, "CLVMD_TEST_RESERVATION_PATHS is not set"))
  func `what is no SCSI disk is refused by name`() throws {
    var device = try SCSIDevice(path: "/dev/null")
    let error = #expect(throws: ReservationError.self) { try fencing(1).register(on: &device) }
    #expect(error?.kind == .unsupported)
    #expect(error?.description.contains("/dev/null") == true)
  }
}
