/// Which metadata areas a change takes into use, and which it lets be ignored (lvm2-metadata 2.4).
struct MetadataAreaChoice {
  private struct Place: Hashable {
    let volume: LVMIdentifier
    let area: Int
  }

  /// Areas whose use changes or is confirmed.
  private var uses: [Place: Bool] = [:]

  /// - Parameters:
  ///   - group: the new version; its `metadataCopies` says how many areas are to be used.
  ///   - areaUse: what is asked for of single PVs.
  init(
    members: [ScannedVolumeGroup.Member], group: VolumeGroup, areaUse: [LVMIdentifier: Bool]
  ) {
    var places: [Place] = []
    for member in members where group.physicalVolume(id: member.id) != nil {
      for (index, area) in (member.scanned?.areas ?? []).enumerated() {
        guard let isUsed = area.isUsedIfSound else { continue }
        let place = Place(volume: member.id, area: index)
        places.append(place)
        uses[place] = areaUse[member.id] ?? isUsed
      }
    }
    let wanted = Int(clamping: group.metadataCopies ?? 0)
    if wanted > 0 { balance(places, wanted) }
  }

  /// Lets the areas be used that the number asks for: one of each PV before a second one.
  private mutating func balance(_ places: [Place], _ wanted: Int) {
    var used = places.filter { uses[$0] == true }
    let spread = places.filter { $0.area == 0 } + places.filter { $0.area > 0 }
    for place in spread where used.count < wanted && uses[place] == false {
      let isSecond = used.contains { $0.volume == place.volume }
      let hasFresh = spread.contains { other in
        uses[other] == false && !used.contains { $0.volume == other.volume }
      }
      if isSecond, hasFresh { continue }
      uses[place] = true
      used.append(place)
    }
    for place in spread where used.count < wanted && uses[place] == false {
      uses[place] = true
      used.append(place)
    }
    for place in spread.reversed() where used.count > max(wanted, 1) && uses[place] == true {
      uses[place] = false
      used.removeAll { $0 == place }
    }
  }

  /// Nil when nothing is known against the area and nothing for it.
  func uses(_ volume: LVMIdentifier, area: Int) -> Bool? {
    uses[Place(volume: volume, area: area)]
  }
}

extension ScannedArea {
  /// Nil for an area with a header that cannot be trusted.
  var isUsedIfSound: Bool? {
    switch state {
    case .unusable: nil
    case .ignored: false
    case .empty, .damaged, .text: true
    }
  }
}
