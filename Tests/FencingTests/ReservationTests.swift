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
    try ReservationFencing(key: key(1)).check(key(2), on: &target)
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

  @Test func `the check notices a key or a reservation that changed`() throws {
    try register(1)
    try register(2)
    var target = ModelPath(disk: disk, path: 1)
    let fencing = ReservationFencing(key: key(1))
    try fencing.fence(key(2), on: &target)
    disk.registrations.append((2, key(2).rawValue))
    #expect(throws: ReservationError.self) { try fencing.check(key(2), on: &target) }
    disk.registrations.removeLast()
    try fencing.check(key(2), on: &target)
    disk.holder = nil
    #expect(throws: ReservationError.self) { try fencing.check(key(2), on: &target) }
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
