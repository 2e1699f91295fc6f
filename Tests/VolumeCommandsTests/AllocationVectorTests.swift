import LVMMetadata
import Testing

@testable import VolumeCommands

/// The same command lines as LVM's lead to the same extents, the same words and the same statuses.
@Suite struct AllocationVectorTests {
  @Test func theVectorsAreThere() { #expect(AllocationVector.all.count == 349) }

  @Test(arguments: AllocationVector.all) func sameResultAsLVM(vector: AllocationVector) throws {
    let group = vector.before
    var identifiers = IdentifierSequence(count: 1000)
    let context = CommandContext(
      settings: vector.settings, hostName: "node-1", now: 0,
      makeIdentifier: { identifiers.next() },
      physicalVolume: { group.physicalVolume(labelled: $0)?.id },
      deviceName: { group.physicalVolume(id: $0)?.label ?? "[unknown]" })
    let words = vector.words
    let type = try #require(groupCommands.first { $0.name == words[0] })
    let command = try type.init(words: Array(words.dropFirst()))
    switch command.edit(group, context) {
    case .success(let edit):
      #expect(vector.section.integer("status") == 0, "refused by LVM")
      #expect(AllocationVector.lines(edit.group) == vector.section.strings("after")?.sorted() ?? [])
      #expect(printed(edit.messages, .output) == stdout(vector))
      try edit.group.checkWritable()
    case .failure(let failure):
      #expect(vector.section.integer("status") == 5)
      #expect(printed(failure.messages, .output) == stdout(vector))
      #expect(printed(failure.messages, .error) == vector.section.strings("stderr") ?? [])
    }
  }

  /// How far a move has come is a matter of time, but for the end.
  private func stdout(_ vector: AllocationVector) -> [String] {
    let lines = vector.section.strings("stdout") ?? []
    switch vector.words.first {
    case "pvmove": return lines.filter { $0.hasSuffix("Moved: 100.00%") }
    default: return lines
    }
  }

  private func printed(_ messages: [CommandMessage], _ stream: CommandMessage.Stream) -> [String] {
    messages.filter { $0.stream == stream }.map(\.text)
  }
}
