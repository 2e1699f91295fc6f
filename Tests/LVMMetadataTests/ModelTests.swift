import LVMMetadata
import Testing

@Suite struct ModelTests {
  private func group(_ stage: String) throws -> VolumeGroup {
    try MetadataText(parsing: Fixture.bytes("lvm2/texts/\(stage).file")).volumeGroup
  }

  @Test func identifiersAreReadInBothForms() throws {
    let dashed = "PjNSpu-kdem-ywm9-prGG-JxbY-1x1E-lTtMJ7"
    let plain = "PjNSpukdemywm9prGGJxbY1x1ElTtMJ7"
    let identifier = try #require(LVMIdentifier(dashed))
    #expect(identifier == LVMIdentifier(plain))
    #expect(identifier.dashed == dashed)
    #expect(identifier.plain == plain)
    #expect(LVMIdentifier(plain.dropLast()) == nil)
    #expect(LVMIdentifier(plain + "a") == nil)
    #expect(LVMIdentifier(plain.dropLast() + "é") == nil)
  }

  @Test func accessClassesAreToldApart() throws {
    #expect(try group("exported/01-exported.vg").accessClass(hostSystemID: nil) == .exported)
    let owned = try group("system-id/00-own.vgown")
    #expect(owned.accessClass(hostSystemID: "lvmlab") == .local)
    #expect(owned.accessClass(hostSystemID: nil) == .foreign(systemID: "lvmlab"))
    #expect(owned.isWritable)
    let shared = try group("shared-lockd/01-lvs.vgs")
    #expect(shared.accessClass(hostSystemID: nil) == .shared(lockType: "dlm"))
    #expect(shared.isShared)
    let linear = try group("linear-life/01-created.vg")
    #expect(linear.accessClass(hostSystemID: "x") == .local)
    var clustered = linear
    clustered.status.insert(.clustered)
    #expect(clustered.accessClass(hostSystemID: nil) == .clustered)
    #expect(clustered.status.words == ["RESIZEABLE", "READ", "WRITE", "CLUSTERED"])
  }

  @Test func groupsWithUnknownThingsMustNotBeChanged() throws {
    let unknown = try group("unknown-segtype/01-rewritten.vg")
    #expect(throws: VolumeGroupRefusal.self) { try unknown.checkChangeable() }
    try unknown.checkWritable()
  }

  @Test func groupWithTheLastSeqnoHasNoNextVersion() throws {
    var last = try group("thin-basic/02-snaps.vg")
    last.seqno = .max
    let refusal = #expect(throws: VolumeGroupRefusal.self) { try last.checkChangeable() }
    #expect(refusal?.message.contains("last seqno") == true)
    last.seqno -= 1
    try last.checkChangeable()
  }

  @Test func dependenciesAreFoundThroughLayers() throws {
    let thin = try group("thin-on-raid/00-created.vg")
    let all = thin.logicalVolumes(dependingOn: Set(thin.physicalVolumes.map(\.id)))
    #expect(all == Set(thin.logicalVolumes.map(\.name)))
    #expect(thin.logicalVolumes(dependingOn: []).isEmpty)
  }

  @Test(arguments: [
    ("", "there is no"), ("contents = \"x\"", "contents"),
    ("contents = \"Text Format Volume Group\" version = 2", "version"),
  ])
  func textsThatAreNoMetadataAreRefused(text: String, part: String) {
    #expect(throws: MetadataTextError.self) { try MetadataText(parsing: Array(text.utf8)) }
  }

  /// The faults that LVM was shown, one each (lvm2-metadata 15).
  @Test(arguments: [
    ("status = [\"ALLOCATABLE\"]", "status = [\"ODD\"]", "unknown word 'ODD'"),
    ("segment_count = 1", "segment_count = 2", "segment_count is 2"),
    ("start_extent = 0", "start_extent = 1", "where 0 is due"),
    ("\"pv0\", 0", "\"pv9\", 0", "neither a PV nor an LV"),
    ("\"pv0\", 0", "\"pv0\", 14", "does not exist"),
    ("pe_start = 2048", "", "'pe_start' is missing"),
    ("extent_size = 8192", "extent_size = 0", "extent_size is 0"),
    ("stripe_count = 1", "stripe_count = 2", "cannot be spread"),
    ("id = \"h5cPBO-", "id = \"h5cPBO?", "not a UUID"),
    ("format = \"lvm2\"", "format = \"lvm3\"", "unknown"),
  ])
  func faultyGroupsAreRefused(original: String, fault: String, reason: String) throws {
    let bytes = try Fixture.bytes("lvm2/texts/linear-life/01-created.vg.disk")
    let text = String(decoding: bytes, as: UTF8.self)
    let range = try #require(text.firstRange(of: original))
    var faulty = text
    faulty.replaceSubrange(range, with: fault)
    let error = #expect(throws: MetadataTextError.self) {
      try MetadataText(parsing: Array(faulty.utf8))
    }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  @Test func anExtentUsedTwiceIsRefused() throws {
    var group = try group("linear-life/01-created.vg")
    var copy = try #require(group.logicalVolumes.first)
    copy.name = "copy"
    group.logicalVolumes.append(copy)
    #expect(throws: MetadataTextError.self) {
      try MetadataText(
        parsing: MetadataText(
          volumeGroup: group,
          provenance: MetadataProvenance(description: "", creationHost: "h", creationTime: 0)
        ).bytes(form: .disk))
    }
  }

  @Test func whatLVMDoesNotKnowIsKept() throws {
    let bytes = try Fixture.bytes("lvm2/texts/linear-life/01-created.vg.disk")
    var text = String(decoding: bytes.dropLast(), as: UTF8.self)
    for (place, addition) in [
      ("seqno = 2", "future_a = [\"x\", 1]"), ("pe_start = 2048", "future_b { c = 1.5 }"),
      ("segment_count = 1", "future_c = \"\\\"\""), ("stripe_count = 1", "future_d = -7"),
    ] {
      let range = try #require(text.firstRange(of: place))
      text.replaceSubrange(range, with: "\(place)\n\(addition)")
    }
    let parsed = try MetadataText(parsing: Array(text.utf8))
    let written = parsed.bytes(form: .file)
    #expect(try MetadataText(parsing: written).volumeGroup == parsed.volumeGroup)
    for name in ["future_a", "future_b", "future_c", "future_d"] {
      #expect(String(decoding: written, as: UTF8.self).contains(name))
    }
  }
}
