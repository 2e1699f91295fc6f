import LVMMetadata
import LVMSystemDirectory
import Testing

@Suite struct ActivationListsTests {
  private func lists(_ text: String) throws -> ActivationLists {
    let folder = try TemporaryFolder()
    try folder.write(text, to: "lvm.conf")
    return ActivationLists(
      try LVMConfiguration(systemDirectory: folder.path), hostName: "n1")
  }

  private func mayBeActive(_ text: String, groupTags: [String] = []) throws -> Bool {
    var generator = SystemRandomNumberGenerator()
    var group = VolumeGroup(name: "vg0", id: LVMIdentifier(using: &generator))
    group.tags = groupTags
    let volume = LogicalVolume(name: "lv0", id: LVMIdentifier(using: &generator))
    return try lists(text).mayBeActive(volume, of: group)
  }

  @Test(arguments: [
    ("", true), ("activation { volume_list = [ \"vg0\" ] }", true),
    ("activation { volume_list = [ \"vg0/lv0\" ] }", true),
    ("activation { volume_list = [ \"vg1\", \"vg0/lv1\" ] }", false),
    ("activation { volume_list = [ \"@shared\" ] }", true),
    ("activation { volume_list = [ \"@*\" ] }", false),
    ("activation { volume_list = [ \"@*\" ] } tags { shared { } }", true),
    ("tags { hosttags = 1 }", false), ("tags { shared { host_list = [ \"n1\" ] } }", true),
    ("tags { shared { host_list = [ \"n2\" ] } }", true),
    ("tags { other { } }", false),
  ])
  func aVolumeIsLetInByNameOrTag(text: String, isLetIn: Bool) throws {
    #expect(try mayBeActive(text, groupTags: ["shared"]) == isLetIn)
  }
}
