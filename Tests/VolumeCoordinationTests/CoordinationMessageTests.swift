import ByteCoding
import ClusterSimulation
import ClusterTypes
import Testing

@testable import VolumeCoordination

@Suite struct CoordinationMessageTests {
  static func everyMessage() throws -> [CoordinationMessage] {
    let change = try Samples.change(logicalVolumes: ["a", "b-c"])
    let reload = try ReloadRequest(
      id: change.id, volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID)
    return [
      .prepare(change), .suspend(change.id), .resume(change.id), .abandon(change),
      .prepared(change.id), .suspended(change.id),
      .resumed(change.id, suspendedMilliseconds: 17),
      .abandoned(change.id, suspendedMilliseconds: .max),
      .refused(change.id, reason: "größer"), .delayed(change.id, reason: ""),
      .stranded(change.id, reason: "EIO"), .reload(reload),
      .reloaded(
        change.id,
        [
          LogicalVolumeReload(logicalVolume: "a", outcome: .reloaded),
          LogicalVolumeReload(logicalVolume: "b", outcome: .unchanged),
          LogicalVolumeReload(logicalVolume: "c", outcome: .failed("EIO")),
        ]),
      .reloadFailed(change.id, reason: "No volume group vg0."),
    ]
  }

  @Test func everyMessageSurvivesItsBytes() throws {
    for message in try Self.everyMessage() {
      #expect(try CoordinationMessage(decoding: message.encode()[...]) == message)
    }
  }

  @Test func everyTruncationAndEverySurplusIsRefused() throws {
    for message in try Self.everyMessage() {
      let bytes = message.encode()
      for count in 0..<bytes.count {
        #expect(throws: ByteDecodingError.self) {
          try CoordinationMessage(decoding: bytes[..<count])
        }
      }
      #expect(throws: ByteDecodingError.self) {
        try CoordinationMessage(decoding: (bytes + [0])[...])
      }
    }
  }

  @Test func otherVersionIsRefusedByName() throws {
    var bytes = CoordinationMessage.suspend(try Samples.change().id).encode()
    bytes[0] = 1
    #expect(throws: ByteDecodingError.invalid("volume coordination version 1, not 2")) {
      try CoordinationMessage(decoding: bytes[...])
    }
  }

  /// Damaged messages either throw or decode to something that encodes to the very same bytes.
  @Test func damagedMessagesNeverTrapAndNeverLie() throws {
    let seed = UInt64(20_240_607)
    var random = SeededGenerator(seed: seed)
    let messages = try Self.everyMessage().map { $0.encode() }
    for round in 0..<20_000 {
      guard var bytes = messages.randomElement(using: &random) else { return }
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      guard let message = try? CoordinationMessage(decoding: bytes[...]) else { continue }
      #expect(message.encode() == bytes, "seed \(seed), round \(round)")
    }
  }

  @Test func longReasonIsCutAtACharacter() throws {
    let reason = String(repeating: "ü", count: 4000)
    let message = CoordinationMessage.refused(try Samples.change().id, reason: reason)
    guard case .refused(_, let kept) = try CoordinationMessage(decoding: message.encode()[...])
    else { return #expect(Bool(false)) }
    #expect(kept == String(repeating: "ü", count: 512))
  }

  @Test func impossibleChangesAreRefused() {
    let id = VolumeRequestID(origin: Samples.instance(1), number: 1)
    func change(_ names: [String], _ new: UInt32, _ kind: VolumeChange.Kind) throws {
      _ = try VolumeChange(
        id: id, volumeGroup: "vg0", volumeGroupID: Samples.volumeGroupID, logicalVolumes: names,
        oldSeqno: 7, newSeqno: new, kind: kind)
    }
    #expect(throws: InvalidVolumeChange.self) { try change([], 8, .grow) }
    #expect(throws: InvalidVolumeChange.self) { try change([""], 8, .grow) }
    #expect(throws: InvalidVolumeChange.self) { try change(["a"], 7, .grow) }
    #expect(throws: InvalidVolumeChange.self) { try change(["a"], 8, .refresh) }
  }
}
