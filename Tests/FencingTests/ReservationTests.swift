import ByteCoding
import ClusterTypes
import Testing

@testable import Fencing

@Suite struct ReservationTests {
  private let disk = ModelDisk()

  private func key(_ node: Int32, life: UInt64 = 1, cluster: UInt64 = 7) -> ReservationKey {
    ReservationKey(
      clusterID: cluster, node: NodeID(node).unsafelyUnwrapped,
      incarnation: Incarnation(life << 32 | 9))
  }

  private func register(_ node: Int32, life: UInt64 = 1, path: Int? = nil) throws {
    var target = ModelPath(disk: disk, path: path ?? Int(node))
    try ReservationFencing(key: key(node, life: life)).register(on: &target)
  }

  @Test func `registered nodes write and others do not`() throws {
    try register(1)
    try register(2)
    #expect(disk.mayWrite(1) && disk.mayWrite(2) && !disk.mayWrite(3))
    #expect(disk.persists)
  }

  @Test func `a fenced node cannot write on any of its paths, and its commands are aborted`() throws
  {
    try register(1)
    try register(2)
    try register(2, path: 12)
    var target = ModelPath(disk: disk, path: 1)
    try ReservationFencing(key: key(1)).fence(key(2), on: &target)
    #expect(disk.mayWrite(1) && !disk.mayWrite(2) && !disk.mayWrite(12))
    #expect(Set(disk.aborted) == [2, 12])
    #expect(try ReservationFencing(key: key(1)).keepsAway(key(2), on: &target))
  }

  @Test func `the holder of the reservation can be fenced, and the reservation stands`() throws {
    try register(2)
    try register(1)
    #expect(disk.holder?.path == 2)
    var target = ModelPath(disk: disk, path: 1)
    try ReservationFencing(key: key(1)).fence(key(2), on: &target)
    #expect(disk.holder?.path == 1)
    #expect(!disk.mayWrite(2))
  }

  @Test func `a node fenced twice, or gone already, is fenced`() throws {
    try register(1)
    var target = ModelPath(disk: disk, path: 1)
    for _ in 0..<2 { try ReservationFencing(key: key(1)).fence(key(2), on: &target) }
  }

  @Test func `a later life of the victim is not hit`() throws {
    try register(1)
    try register(2, life: 5)
    var target = ModelPath(disk: disk, path: 1)
    try ReservationFencing(key: key(1)).fence(key(2, life: 4), on: &target)
    #expect(disk.mayWrite(2))
  }

  @Test func `a new life takes the keys of its earlier ones away, on other paths too`() throws {
    try register(2, life: 1)
    try register(2, life: 1, path: 12)
    try register(2, life: 2)
    #expect(disk.mayWrite(2) && !disk.mayWrite(12))
  }

  @Test func `unit attentions are not failures`() throws {
    disk.attentions = [1: 3]
    try register(1)
    #expect(disk.mayWrite(1))
  }

  @Test func `a node that was evicted cannot fence`() throws {
    try register(1)
    try register(2)
    var first = ModelPath(disk: disk, path: 1)
    try ReservationFencing(key: key(1)).fence(key(2), on: &first)
    var second = ModelPath(disk: disk, path: 2)
    let error = #expect(throws: ReservationError.self) {
      try ReservationFencing(key: key(2)).fence(key(1), on: &second)
    }
    #expect(error?.kind == .evicted)
    #expect(disk.mayWrite(1))
  }

  @Test func `a preempt that the device only claims to have done is no success`() throws {
    try register(1)
    try register(2)
    disk.ignoresPreempt = true
    var target = ModelPath(disk: disk, path: 1)
    let error = #expect(throws: ReservationError.self) {
      try ReservationFencing(key: key(1)).fence(key(2), on: &target)
    }
    #expect(error?.kind == .failed)
  }

  @Test func `a key or a reservation that changed is noticed`() throws {
    try register(1)
    try register(2)
    var target = ModelPath(disk: disk, path: 1)
    let fencing = ReservationFencing(key: key(1))
    try fencing.fence(key(2), on: &target)
    func keepsAway() throws -> Bool { try fencing.keepsAway(key(2), on: &target) }
    #expect(try keepsAway())
    disk.registrations.append((2, key(2).rawValue))
    #expect(try !keepsAway())
    disk.registrations.removeLast()
    #expect(try keepsAway())
    let holder = disk.holder
    disk.holder = nil
    #expect(try !keepsAway())
    disk.holder = (9, key(1, cluster: 8).rawValue, 5)
    #expect(try !keepsAway())
    disk.holder = holder
    disk.persists = false
    #expect(try !keepsAway())
    disk.persists = true
    #expect(try keepsAway())
  }

  @Test func `a node whose own key is gone cannot tell`() throws {
    try register(1)
    try register(2)
    try register(3)
    var target = ModelPath(disk: disk, path: 1)
    try ReservationFencing(key: key(1)).fence(key(2), on: &target)
    disk.registrations.removeAll { $0.path == 3 }
    var third = ModelPath(disk: disk, path: 3)
    let error = #expect(throws: ReservationError.self) {
      try ReservationFencing(key: key(3)).keepsAway(key(2), on: &third)
    }
    #expect(error?.kind == .evicted)
  }

  @Test func `a path that appears later is registered, another keeps its key`() throws {
    try register(1)
    var late = ModelPath(disk: disk, path: 11)
    let fencing = ReservationFencing(key: key(1))
    #expect(!disk.mayWrite(11))
    #expect(try fencing.registerLate(on: &late))
    #expect(disk.mayWrite(11))
    #expect(try !fencing.registerLate(on: &late))
    #expect(disk.registrations.count == 2)
  }

  @Test func `an evicted node registers no late path`() throws {
    try register(1)
    try register(2)
    var target = ModelPath(disk: disk, path: 1)
    try ReservationFencing(key: key(1)).fence(key(2), on: &target)
    var late = ModelPath(disk: disk, path: 12)
    #expect(throws: ReservationError.self) {
      try ReservationFencing(key: key(2)).registerLate(on: &late)
    }
    #expect(!disk.mayWrite(12))
  }

  /// Between the look at its key and the new registration the node is evicted.
  @Test func `a late path of a node that is evicted meanwhile does not stay`() throws {
    try register(1)
    try register(2)
    let disk = disk
    let (victim, other) = (key(2).rawValue, key(1))
    disk.beforeRegistering = {
      disk.beforeRegistering = nil
      disk.registrations.removeAll { $0.key == victim }
      disk.holder = (1, other.rawValue, 5)
    }
    var late = ModelPath(disk: disk, path: 12)
    #expect(throws: ReservationError.self) {
      try ReservationFencing(key: key(2)).registerLate(on: &late)
    }
    #expect(!disk.mayWrite(2) && !disk.mayWrite(12))
  }

  @Test func `the holder of the reservation leaves without taking it along`() throws {
    try register(1)
    try register(2)
    try register(3)
    var second = ModelPath(disk: disk, path: 2)
    try ReservationFencing(key: key(2)).fence(key(3), on: &second)
    var target = ModelPath(disk: disk, path: 1)
    try ReservationFencing(key: key(1)).unregister(from: &target)
    #expect(try ReservationFencing(key: key(2)).keepsAway(key(3), on: &second))
    #expect(!disk.mayWrite(3))
    try register(1, life: 2)
    #expect(disk.mayWrite(1) && !disk.mayWrite(3))
    #expect(disk.registrations.count == 2)
  }

  @Test func `a set of disks has one name in whatever order`() {
    let name = ReservationRunner.name(ofIdentities: ["naa.1", "naa.2"])
    #expect(name == ReservationRunner.name(ofIdentities: ["naa.2", "naa.1"]))
    #expect(name != ReservationRunner.name(ofIdentities: ["naa.1"]))
    #expect(name != ReservationRunner.name(ofIdentities: ["naa.1naa.2"]))
  }

  @Test func `devices that cannot do it are refused by name`() throws {
    disk.canPersist = false
    let error = #expect(throws: ReservationError.self) { try register(1) }
    #expect(error?.kind == .unsupported && error?.description.contains("/dev/model-1") == true)
    disk.canPersist = true
    disk.hasReservations = false
    #expect(#expect(throws: ReservationError.self) { try register(1) }?.kind == .unsupported)
  }

  @Test func `a foreign reservation or key is not touched`() throws {
    disk.registrations = [(9, 0xABCD)]
    #expect(#expect(throws: ReservationError.self) { try register(1) }?.kind == .foreign)
    disk.holder = (9, 0xABCD, 1)
    #expect(#expect(throws: ReservationError.self) { try register(1) }?.kind == .foreign)
    #expect(disk.registrations.map(\.key) == [0xABCD])
  }

  @Test func `a node that leaves takes its key with it`() throws {
    try register(1)
    try register(2)
    var target = ModelPath(disk: disk, path: 2)
    try ReservationFencing(key: key(2)).unregister(from: &target)
    #expect(!disk.mayWrite(2) && disk.mayWrite(1))
  }

  @Test func `a key tells cluster, node and life`() {
    let one = key(1)
    #expect(one.rawValue >> 60 == 5)
    #expect(one.rawValue >> 24 & 0xFFFF == 1)
    #expect(one.isSameNode(as: key(1, life: 2)) && one != key(1, life: 2))
    #expect(!one.isSameNode(as: key(2)) && one.isSameCluster(as: key(2)))
    #expect(!one.isSameCluster(as: key(1, cluster: 8)))
  }
}
