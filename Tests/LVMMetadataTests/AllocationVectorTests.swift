import ConfigText
import LVMMetadata
import Testing

/// What LVM 2.03.16 did for lvextend and lvreduce: same extents, same messages, same errors.
@Suite struct AllocationVectorTests {
  static let names = ((try? Fixture.names(in: "lvm2/allocation")) ?? []).map { $0.dropLast(5) }

  @Test func theVectorsAreThere() { #expect(Self.names.count == 103) }

  @Test(arguments: names) func sameResultAsLVM(name: Substring) throws {
    let vector = try ConfigSection(parsing: try Fixture.bytes("lvm2/allocation/\(name).conf"))
    let before = try group(vector, "before")
    let after = try group(vector, "after")
    let command = try #require(vector.strings("command"))
    do throws(VolumeGroupRefusal) {
      let result = try run(command, on: before, settings(vector))
      #expect(vector.integer("status") == 0, "refused by LVM")
      #expect(layout(result.volumeGroup) == layout(after))
      let expected = vector.strings("stdout")
      #expect(result.messages == expected?.filter { !$0.hasSuffix("successfully resized.") })
      #expect(result.volumeGroup.seqno == before.seqno + 1)
    } catch {
      #expect(vector.integer("status") == 5)
      #expect(vector.strings("stderr")?.last == error.message)
    }
  }

  private func group(_ vector: ConfigSection, _ name: String) throws -> VolumeGroup {
    let section = try #require(vector.section(name))
    return try MetadataText(parsing: section.text(style: .raw)).volumeGroup
  }

  private func settings(_ vector: ConfigSection) -> AllocationSettings {
    AllocationSettings(
      maximisesCling: vector.integer("config/allocation/maximise_cling") != 0,
      clingTags: (vector.strings("config/allocation/cling_tag_list") ?? []).map {
        String($0.drop { $0 == "@" })
      })
  }

  /// Every segment as text: easier to compare by eye than the model.
  private func layout(_ group: VolumeGroup) -> [String] {
    group.logicalVolumes.flatMap { volume in
      volume.segments.map { segment in
        let layout = segment.stripedLayout
        let areas = (layout?.areas ?? []).map { area in
          let label = area.physicalVolume.flatMap { group.physicalVolume(id: $0)?.label }
          return "\(label ?? "?"):\(area.firstExtent)"
        }
        return "\(volume.name) \(segment.startExtent)+\(segment.extentCount) "
          + "\(layout?.stripeSizeSectors ?? 0) \(areas)"
      }
    }.sorted()
  }

  /// The command line, as far as the vectors use it.
  private func run(
    _ command: [String], on group: VolumeGroup, _ settings: AllocationSettings
  ) throws(VolumeGroupRefusal) -> ResizeResult {
    var request = ResizeRequest(size: nil, settings: settings)
    var arguments: [PhysicalVolumeArgument] = []
    var name = ""
    var words = command.dropFirst()[...]
    while let word = words.popFirst() {
      switch word {
      case "-y": break
      case "-l": request.size = words.popFirst().flatMap { SizeArgument(extents: $0) }
      case "-L": request.size = words.popFirst().flatMap { SizeArgument(size: $0) }
      case "-i": request.stripeCount = words.popFirst().flatMap { Int($0) }
      case "--alloc":
        request.allocationPolicy = words.popFirst().flatMap { AllocationPolicy(rawValue: $0) }
      case _ where word.hasPrefix("vg/"): name = String(word.dropFirst(3))
      default: arguments.append(try PhysicalVolumeArgument(parsing: word))
      }
    }
    if !arguments.isEmpty {
      request.physicalVolumes = try group.physicalVolumeChoices(arguments) { label in
        group.physicalVolume(labelled: label)?.id
      }
    }
    if command.first == "lvreduce", let size = request.size {
      return try group.reducingLogicalVolume(named: name, to: size)
    }
    return try group.extendingLogicalVolume(named: name, request)
  }
}
