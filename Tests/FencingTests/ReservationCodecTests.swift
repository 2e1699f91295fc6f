import ByteCoding
import ClusterSimulation
import Testing

@testable import Fencing

@Suite struct ReservationCodecTests {
  private let key = ReservationKey(rawValue: 0x5ABC_DE00_0100_0007)
  private let victim = ReservationKey(rawValue: 0x5ABC_DE00_0200_0003)

  /// As `sg_persist` of sg3-utils 1.46 sends them (SPC-4, tables 6.15 and 6.16).
  @Test func `commands are the standard's bytes`() {
    #expect(
      ReservationCommand.readKeys.command.block == [0x5E, 0, 0, 0, 0, 0, 0, 0x10, 0x08, 0])
    #expect(ReservationCommand.readReservation.command.block[1] == 1)
    #expect(ReservationCommand.reportCapabilities.command.block[1] == 2)
    #expect(
      ReservationCommand.registerAndIgnore(key: key, persists: true).command
        == SCSICommand(
          block: [0x5F, 6, 0, 0, 0, 0, 0, 0, 24, 0],
          data: .send(
            [0, 0, 0, 0, 0, 0, 0, 0, 0x5A, 0xBC, 0xDE, 0, 1, 0, 0, 7, 0, 0, 0, 0, 1, 0, 0, 0])))
    #expect(
      ReservationCommand.reserve(key: key, .writeExclusiveRegistrantsOnly).command
        == SCSICommand(
          block: [0x5F, 1, 5, 0, 0, 0, 0, 0, 24, 0],
          data: .send(
            [0x5A, 0xBC, 0xDE, 0, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])))
    let preempt = ReservationCommand.preempt(
      key: key, victim: victim, .writeExclusiveRegistrantsOnly, aborts: true
    ).command
    #expect(preempt.block == [0x5F, 5, 5, 0, 0, 0, 0, 0, 24, 0])
    #expect(
      preempt.data
        == .send(
          [
            0x5A, 0xBC, 0xDE, 0, 1, 0, 0, 7, 0x5A, 0xBC, 0xDE, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
            0,
          ]))
  }

  @Test func `a list of keys is taken whole or not at all`() throws {
    let list: [UInt8] =
      [0, 0, 0, 9, 0, 0, 0, 16] + [
        0x5A, 0xBC, 0xDE, 0, 1, 0, 0, 7, 0x5A, 0xBC, 0xDE, 0, 2, 0, 0, 3,
      ]
    let keys = try RegisteredKeys(decoding: list + [0, 0, 0])
    #expect(keys.generation == 9 && keys.keys == [key, victim])
    for count in 0..<list.count {
      #expect(throws: ByteDecodingError.self) { try RegisteredKeys(decoding: list[..<count]) }
    }
    #expect(try RegisteredKeys(decoding: [0, 0, 0, 1, 0, 0, 0, 0]).keys.isEmpty)
    #expect(throws: ByteDecodingError.self) {
      try RegisteredKeys(decoding: [0, 0, 0, 1, 0, 0, 0, 4, 1, 2, 3, 4])
    }
  }

  @Test func `a reservation has a holder, a scope and a type`() throws {
    let bytes: [UInt8] =
      [0, 0, 0, 2, 0, 0, 0, 16] + [0x5A, 0xBC, 0xDE, 0, 1, 0, 0, 7] + [0, 0, 0, 0, 0, 0x05, 0, 0]
    #expect(
      try CurrentReservation(decoding: bytes).holder
        == .init(key: key, scope: 0, type: .writeExclusiveRegistrantsOnly))
    #expect(try CurrentReservation(decoding: [0, 0, 0, 2, 0, 0, 0, 0]).holder == nil)
    #expect(throws: ByteDecodingError.self) { try CurrentReservation(decoding: bytes[..<20]) }
  }

  @Test func `capabilities`() throws {
    let found = try ReservationCapabilities(decoding: [0, 8, 0x01, 0x81, 0xEA, 0x01, 0, 0])
    #expect(found.canPersist && found.persists && found.hasWriteExclusiveRegistrantsOnly == true)
    let unsaid = try ReservationCapabilities(decoding: [0, 8, 0, 0, 0xEA, 0x01, 0, 0])
    #expect(!unsaid.canPersist && unsaid.hasWriteExclusiveRegistrantsOnly == nil)
    #expect(throws: ByteDecodingError.self) { try ReservationCapabilities(decoding: [0, 8, 1]) }
  }

  @Test func `sense data of both formats, cut anywhere, never traps`() {
    let fixed: [UInt8] = [0x70, 0, 0x05, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0]
    #expect(SCSISense(fixed) == SCSISense(key: 5, code: 0x20, qualifier: 0))
    let descriptor: [UInt8] = [0x72, 0x06, 0x2A, 0x05, 0, 0, 0, 0]
    #expect(SCSISense(descriptor)?.isUnitAttention == true)
    for count in 0...fixed.count { _ = SCSISense(fixed[..<count]) }
    var random = SeededGenerator(seed: 1)
    for _ in 0..<1000 {
      let bytes = (0..<Int.random(in: 0...32, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      _ = SCSISense(bytes)
      _ = try? RegisteredKeys(decoding: bytes)
      _ = try? CurrentReservation(decoding: bytes)
      _ = try? ReservationCapabilities(decoding: bytes)
    }
    #expect(SCSIStatus(0x18, sense: []) == .reservationConflict)
    #expect(SCSIStatus(0x02, sense: []) == .checkCondition(nil))
  }
}
