import ConfigText

/// Which LVs users see. The word VISIBLE tells it, but for snapshots: there the LV that binds origin
/// and store has the word, and the store is as visible as its origin.
extension VolumeGroup {
  /// Puts LVs that users see before the others, each in the order they had: so LVM writes them.
  package mutating func sortVisibleFirst() {
    let hidden = hiddenNames()
    let isSorted = zip(logicalVolumes, logicalVolumes.dropFirst()).allSatisfy {
      !hidden.contains($0.name) || hidden.contains($1.name)
    }
    guard !isSorted else { return }
    logicalVolumes =
      logicalVolumes.filter { !hidden.contains($0.name) }
      + logicalVolumes.filter { hidden.contains($0.name) }
  }

  /// Names of the LVs that users do not see.
  package func hiddenNames() -> Set<String> {
    var hidden = Set(logicalVolumes.lazy.filter { !$0.isVisible }.map(\.name))
    for volume in logicalVolumes {
      guard case .other("snapshot", let section)? = volume.segments.first?.kind,
        let origin = section.string("origin")
      else { continue }
      hidden.insert(volume.name)
      if let merging = section.string("merging_store") { hidden.insert(merging) }
      guard let store = section.string("cow_store") else { continue }
      if !hidden.contains(origin) || isVirtualOrigin(origin) { hidden.remove(store) }
    }
    return hidden
  }

  /// True for the origin that a snapshot without a real one lies over.
  private func isVirtualOrigin(_ name: String) -> Bool {
    name.hasSuffix("_vorigin")
  }
}
