import ConfigText

/// Which LVs lie on which volumes.
extension VolumeGroup {
  /// Names of the LVs that lie on one of `physicalVolumes`, directly or through other LVs.
  public func logicalVolumes(dependingOn physicalVolumes: Set<LVMIdentifier>) -> Set<String> {
    let labels = Set(self.physicalVolumes.filter { physicalVolumes.contains($0.id) }.map(\.label))
    var dependent: Set<String> = []
    var users: [String: [String]] = [:]
    var pending: [String] = []
    for volume in logicalVolumes {
      var isDirect = false
      for segment in volume.segments {
        for reference in segment.references {
          switch reference {
          case .physicalVolume(let id): isDirect = isDirect || physicalVolumes.contains(id)
          case .name(let name) where labels.contains(name): isDirect = true
          case .name(let name): users[name, default: []].append(volume.name)
          }
        }
      }
      if isDirect, dependent.insert(volume.name).inserted { pending.append(volume.name) }
    }
    while let name = pending.popLast() {
      for user in users[name] ?? [] where dependent.insert(user).inserted { pending.append(user) }
    }
    return dependent
  }
}

extension LogicalVolume {
  /// What the segments name beside PVs known by their ids: the LVs that the volume lies on (images,
  /// pool data, origins …), and in types this module does not look into PVs' labels and other words.
  public var referencedNames: Set<String> {
    var names: Set<String> = []
    for segment in segments {
      for case .name(let name) in segment.references { names.insert(name) }
    }
    return names
  }
}

extension Segment {
  fileprivate enum Reference {
    case physicalVolume(LVMIdentifier)
    /// A PV's label or an LV's name.
    case name(String)
  }

  /// All volumes the segment names. In types this module does not look into, every string is
  /// taken for a name: a word too many does no harm, a volume too few would.
  fileprivate var references: [Reference] {
    switch kind {
    case .striped(let layout):
      layout.areas.map { area in
        switch area.source {
        case .physicalVolume(let id): .physicalVolume(id)
        case .logicalVolume(let name): .name(name)
        }
      }
    case .other(_, let section):
      section.allStrings.map { .name($0) }
    }
  }
}

extension ConfigSection {
  fileprivate var allStrings: [String] {
    entries.flatMap { entry in
      switch entry.content {
      case .section(let section): section.allStrings
      case .value(let value):
        value.asList.compactMap { item in
          if case .string(let text) = item { text } else { nil }
        }
      }
    }
  }
}
