import ClusterTypes
import Testing

@testable import ClusterMembership

/// Volume operations in the record: who may say what of them, and that nothing is said of them once
/// their coordinator is gone.
@Suite struct RecordOperationsTests {
  private let slots = (0..<3).compactMap { NodeSlot($0) }

  private func record() throws -> Record {
    var random = RandomRecords(seed: 1)
    var record = Record(clusterID: 1, configuration: random.configuration())
    for slot in slots {
      var member = random.member()
      (member.slot, member.incarnation, member.life) = (slot, Incarnation(7), 1)
      record.members.append(member)
    }
    return record
  }

  private func request(
    _ slot: Int, incarnation: UInt64 = 7, life: UInt32 = 1, _ sequence: UInt64
  ) -> VolumeOperation.ID {
    VolumeOperation.ID(
      slot: slots[slot], incarnation: Incarnation(incarnation), life: life, sequence: sequence)
  }

  private func operation(_ group: String = "one", number: UInt64 = 1) -> VolumeOperation {
    VolumeOperation(
      number: number, volumeGroup: group, groupName: "vg", title: "grow vg/lv", oldSequence: 3,
      newSequence: 4, coordinator: slots[0], participants: NodeSet(slots))
  }

  @Test func theCoordinatorAdvancesItsOperationAndNeverBack() throws {
    var record = try record()
    let id = request(0, 5)
    #expect(record.begin(operation(), by: id) == nil)
    #expect(record.operations.first?.id == id)
    #expect(record.advance(id, to: .suspend, by: request(0, 6)) == nil)
    #expect(record.advance(id, to: .committed, by: request(1, 1))?.contains("coordinates") == true)
    #expect(record.advance(id, to: .committing, by: request(0, 7)) == nil)
    #expect(record.advance(id, to: .suspend, by: request(0, 8)) != nil)
    #expect(record.operations.first?.step == .committing)
    #expect(record.end(id, by: request(1, 2)) != nil)
    #expect(record.end(id, by: request(0, 9)) == nil)
    #expect(record.operations.isEmpty)
    #expect(record.advance(id, to: .committed, by: request(0, 10)) == "the operation is over")
    // Ended twice is ended.
    #expect(record.end(id, by: request(0, 11)) == nil)
  }

  @Test func whoeverHoldsTheLockReplacesWhatIsOver() throws {
    var record = try record()
    #expect(record.begin(operation(), by: request(0, 1)) == nil)
    #expect(record.begin(operation(number: 2), by: request(1, 1)) == nil)
    #expect(record.operations.map(\.id) == [request(1, 1)])
    #expect(record.advance(request(0, 1), to: .committed, by: request(0, 2)) != nil)
  }

  @Test func nothingIsSaidOfAnOperationWhoseCoordinatorIsRemoved() throws {
    var record = try record()
    let id = request(0, 1)
    #expect(record.begin(operation(), by: id) == nil)
    record.remove(record.members[0])
    let orphan = try #require(record.operations.first)
    #expect(record.isOrphan(orphan))
    #expect(!orphan.participants.contains(slots[0]))
    #expect(record.advance(id, to: .committed, by: request(0, 2)) != nil)
    // Neither when the node is back in another incarnation.
    var back = record
    var random = RandomRecords(seed: 2)
    var member = random.member()
    (member.slot, member.incarnation, member.life) = (slots[0], Incarnation(8), 1)
    back.members.insert(member, at: 0)
    #expect(back.isOrphan(orphan))
    #expect(back.advance(id, to: .committed, by: request(0, incarnation: 8, 1)) != nil)
    // Anybody ends it.
    #expect(record.end(id, by: request(2, 1)) == nil)
    #expect(record.operations.isEmpty)
  }

  @Test func aDaemonThatWasStartedAgainCannotSayWhatItsEarlierLifeWouldHave() throws {
    var record = try record()
    let id = request(0, 1)
    #expect(record.begin(operation(), by: id) == nil)
    record.members[0].life = 2
    #expect(record.operations.map { record.isOrphan($0) } == [true])
    // A request of the earlier life that was still under way.
    #expect(record.advance(id, to: .committed, by: request(0, 2))?.contains("earlier life") == true)
    #expect(record.begin(operation("other"), by: request(0, 3)) != nil)
    #expect(record.advance(id, to: .committed, by: request(0, life: 2, 1)) != nil)
    #expect(record.end(id, by: request(0, life: 2, 2)) == nil)
  }

  @Test func participantsAreMembersAndOperationsAreFew() throws {
    var record = try record()
    var alien = operation()
    alien.participants.insert(try #require(NodeSlot(9)))
    #expect(record.begin(alien, by: request(0, 1)) != nil)
    for number in 1...UInt64(RecordLimits.operations) {
      #expect(record.begin(operation("\(number)"), by: request(0, number)) == nil)
    }
    #expect(record.begin(operation("more"), by: request(0, 99))?.hasPrefix("busy") == true)
    #expect(record.operations.count == RecordLimits.operations)
  }

  @Test func aLongTitleIsCutAtACharacter() {
    let long = VolumeOperation(
      number: 1, volumeGroup: "", groupName: "", title: String(repeating: "ä", count: 100),
      oldSequence: 1, newSequence: 2, coordinator: slots[0], participants: [])
    #expect(long.title == String(repeating: "ä", count: 64))
  }
}
