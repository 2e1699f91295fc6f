import LVMMetadata

/// The words by which LVM describes what a volume is made like and what it is for. The order is
/// LVM's; the role begins with whether the volume is the users' own.
extension ReportRow {
  var layout: [String] { words.layout }
  var role: [String] { words.role }

  private var words: VolumeWords {
    switch volume {
    case .gone:
      return VolumeWords(layout: ["none"], role: ["public", "history"])
    case .live(let index):
      var words = VolumeWords()
      words.describe(index, graph)
      return words
    case .free, .none:
      return VolumeWords(layout: ["unknown"], role: ["public"])
    }
  }
}

private struct VolumeWords {
  var layout: [String] = []
  var role: [String] = []
  private var isPublic = true

  init(layout: [String] = [], role: [String] = []) {
    self.layout = layout
    self.role = role
  }

  mutating func describe(_ index: Int, _ graph: VolumeGraph) {
    let roles = graph.roles[index]
    if roles.containsAny(.anyMirror) || roles.contains(.pvmove) { describeMirror(roles) }
    if roles.containsAny(.anyRAID) { describeRAID(roles, graph.firstKind(index)?.raid) }
    if roles.containsAny(.anyThin) || roles.contains(.externalOrigin) {
      describeThin(index, roles, graph)
    }
    if roles.containsAny(.anyCache)
      || roles.containsAny([.cacheOrigin, .writecache, .writecacheOrigin])
    {
      describeCache(roles)
    }
    if roles.containsAny([.integrity, .integrityOrigin, .integrityMetadata]) {
      describeIntegrity(roles)
    }
    if roles.containsAny(.anyVDO) { describeVDO(roles) }
    if roles.contains(.metadataSpare) { makePrivate("pool", "spare") }
    describeSnapshot(index, roles, graph)
    if roles.contains(.sanlock) { makePrivate("lockd", "sanlock") }
    if layout.isEmpty { describePlain(graph.volumes[index]) }
    role.insert(isPublic ? "public" : "private", at: 0)
  }

  private mutating func makePrivate(_ words: String...) {
    role += words
    isPublic = false
  }

  private mutating func addOnce(_ words: String...) {
    for word in words where !role.contains(word) { role.append(word) }
  }

  private mutating func describeMirror(_ roles: VolumeRoles) {
    if roles.contains(.mirrorImage) {
      makePrivate("mirror", "image")
    } else if roles.contains(.mirrorLog) {
      makePrivate("mirror", "log")
      if roles.contains(.mirrored) { layout.append("mirror") }
    } else if roles.contains(.pvmove) {
      makePrivate("pvmove")
      layout.append("mirror")
    } else {
      layout.append("mirror")
    }
  }

  private mutating func describeRAID(_ roles: VolumeRoles, _ kind: RAIDLayout?) {
    if roles.contains(.raidImage) { return makePrivate("raid", "image") }
    if roles.contains(.raidMetadata) { return makePrivate("raid", "metadata") }
    if roles.contains(.pvmove) {
      makePrivate("pvmove")
      layout.append("raid")
      return
    }
    layout.append("raid")
    guard let kind, kind.name != "raid0_meta" else { return }
    layout.append("raid\(kind.level)")
    let shown = [
      "raid5_la", "raid5_ra", "raid5_ls", "raid5_rs", "raid6_zr", "raid6_nr", "raid6_nc",
    ]
    if shown.contains(kind.name) { layout.append(kind.name) }
  }

  private mutating func describeThin(_ index: Int, _ roles: VolumeRoles, _ graph: VolumeGraph) {
    if roles.contains(.thinPoolMetadata) { return makePrivate("thin", "pool", "metadata") }
    if roles.contains(.thinPoolData) { return makePrivate("thin", "pool", "data") }
    if roles.contains(.thinVolume) {
      layout += ["thin", "sparse"]
      let children = (graph.uses[index] ?? []).count { use in
        graph.reference(use.volume, "origin") == index
      }
      if children > 0 {
        addOnce("origin")
        role.append("thinorigin")
        if children > 1 { role.append("multithinorigin") }
      }
      if graph.reference(index, "origin") != nil || graph.reference(index, "external_origin") != nil
      {
        addOnce("snapshot")
        role.append("thinsnapshot")
      }
    } else if roles.contains(.thinPool) {
      layout += ["thin", "pool"]
      isPublic = false
    }
    if roles.contains(.externalOrigin) {
      let users = (graph.uses[index] ?? []).count { use in
        graph.reference(use.volume, "external_origin") == index
      }
      addOnce("origin")
      role.append("extthinorigin")
      if users > 1 { role.append("multiextthinorigin") }
    }
  }

  private mutating func describeCache(_ roles: VolumeRoles) {
    if roles.contains(.cachePoolMetadata) { return makePrivate("cache", "pool", "metadata") }
    if roles.contains(.cachePoolData) {
      makePrivate("cache", "pool", "data")
      if roles.contains(.cache) { layout.append("cache") }
    } else if roles.contains(.cacheOrigin) {
      addOnce("cache", "origin")
      makePrivate("cacheorigin")
      if roles.contains(.cache) { layout.append("cache") }
    } else if roles.contains(.writecacheOrigin) {
      addOnce("writecache", "origin")
      makePrivate("writecacheorigin")
      if roles.contains(.writecache) { layout.append("writecache") }
    } else if roles.contains(.cache) {
      layout.append("cache")
    } else if roles.contains(.writecache) {
      layout.append("writecache")
    } else if roles.contains(.writecacheStore) {
      layout += ["writecache", "cachevol"]
      isPublic = false
    } else if roles.contains(.cacheVolume) {
      layout += ["cache", "cachevol"]
      isPublic = false
    } else if roles.contains(.cachePool) {
      layout += ["cache", "pool"]
      isPublic = false
    }
  }

  private mutating func describeIntegrity(_ roles: VolumeRoles) {
    if roles.contains(.integrityMetadata) { return makePrivate("integrity", "metadata") }
    if roles.contains(.integrityOrigin) {
      return makePrivate("integrity", "origin", "integrityorigin")
    }
    layout.append("integrity")
  }

  private mutating func describeVDO(_ roles: VolumeRoles) {
    if roles.contains(.vdoPool) {
      layout += ["vdo", "pool"]
      isPublic = false
    } else if roles.contains(.vdoPoolData) {
      makePrivate("vdo", "pool", "data")
    } else {
      layout += ["vdo", "sparse"]
    }
  }

  private mutating func describeSnapshot(
    _ index: Int, _ roles: VolumeRoles, _ graph: VolumeGraph
  ) {
    if roles.contains(.origin) {
      addOnce("origin")
      role.append("thickorigin")
      if roles.contains(.virtual), !roles.contains(.thinVolume) {
        layout.append("virtual")
        isPublic = false
      }
      if (graph.snapshotsByOrigin[index]?.count ?? 0) > 1 { role.append("multithickorigin") }
    } else if roles.contains(.cow) {
      addOnce("snapshot")
      role.append("thicksnapshot")
    }
  }

  private mutating func describePlain(_ volume: LogicalVolume) {
    if volume.segments.contains(where: { $0.stripedLayout?.isLinear == true }) {
      layout.append("linear")
    }
    if volume.segments.contains(where: { $0.stripedLayout?.isLinear == false }) {
      layout.append("striped")
    }
    if layout.isEmpty { layout.append("unknown") }
  }
}
