import ConfigText
import LVMMetadata
import MetadataSamples
import Testing

/// Groups with everything there is, and texts of them.
@Suite struct GeneratedGroupTests {
  private func text(_ group: VolumeGroup) -> MetadataText {
    MetadataText(
      volumeGroup: group,
      provenance: MetadataProvenance(
        generator: "clvmd", description: "Write from \"x\" \\ y.", creationHost: "n",
        creationTime: 1_795_377_204))
  }

  @Test(arguments: [MetadataTextForm.disk, .file])
  func whatIsWrittenIsReadAsTheSame(form: MetadataTextForm) throws {
    let seed: UInt64 = 0x6E6E_0001
    var generator = GroupGenerator(seed: seed)
    var types: Set<String> = []
    for round in 0..<120 {
      let group = generator.next()
      let bytes = text(group).bytes(form: form)
      let read = try MetadataText(parsing: bytes)
      #expect(read.volumeGroup == group, "seed \(seed), round \(round)")
      #expect(read.provenance.description == "Write from \"x\" \\ y.")
      #expect(read.volumeGroup.sectionBytes(form: form) == group.sectionBytes(form: form))
      for volume in group.logicalVolumes { types.formUnion(volume.segments.map(\.typeName)) }
    }
    #expect(types.count == 23, "\(types.sorted())")
  }

  @Test func bothWaysToReadATextAgree() throws {
    var generator = GroupGenerator(seed: 0x6E6E_0002)
    for _ in 0..<50 {
      let bytes = text(generator.next()).bytes(form: .file)
      let document = try ConfigDocument(parsing: bytes)
      let tree = try ConfigSection(parsing: bytes)
      #expect(document.section(document.firstNode..<document.endNode) == tree)
    }
  }

  @Test func aLargeGroupKeepsItsVolumes() throws {
    var generator = GroupGenerator(seed: 0x6E6E_0003)
    let group = generator.linearGroup(volumeCount: 1000)
    let read = try MetadataText(parsing: text(group).bytes(form: .disk))
    #expect(read.volumeGroup == group)
  }

  @Test func segmentsThatContinueEachOtherAreJoined() throws {
    var generator = GroupGenerator(seed: 0x6E6E_0004)
    var group = generator.linearGroup(volumeCount: 1)
    let area = SegmentArea.physicalVolume(group.physicalVolumes[0].id, firstExtent: 4)
    let more = Segment(
      startExtent: 4, extentCount: 2, kind: .striped(StripedLayout(areas: [area])))
    group.logicalVolumes[0].segments.append(more)
    let read = try MetadataText(parsing: text(group).bytes(form: .disk))
    #expect(read.volumeGroup.logicalVolumes[0].segments.map(\.extentCount) == [6])
  }
}
