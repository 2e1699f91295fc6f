import ConfigText
import LVMMetadata

/// What a group remembers of volumes that are gone (lvm2-metadata 6.5), and who descends from whom.
struct VolumeHistory {
  struct Volume {
    let name: String
    let id: LVMIdentifier?
    let creationTime: UInt64
    let removalTime: UInt64
  }

  /// A volume that is there or was.
  enum Reference: Hashable {
    /// Index among the group's logical volumes.
    case live(Int)
    /// Index among `volumes`.
    case gone(Int)
  }

  /// In the order of the text.
  let volumes: [Volume]
  private var indirectOrigins: [Reference: Reference] = [:]
  private var indirectDescendants: [Reference: [Reference]] = [:]
  private let graph: VolumeGraph

  init(_ group: VolumeGroup, _ graph: VolumeGraph) {
    self.graph = graph
    var volumes: [Volume] = []
    var indices: [String: Int] = [:]
    var sections: [ConfigSection] = []
    for entry in group.historicalLogicalVolumes?.entries ?? [] {
      guard case .section(let section) = entry.content else { continue }
      let name = section.string("name") ?? entry.name
      indices[name] = volumes.count
      sections.append(section)
      volumes.append(
        Volume(
          name: name, id: section.string("id").flatMap { LVMIdentifier($0) },
          creationTime: UInt64(clamping: section.integer("creation_time") ?? 0),
          removalTime: UInt64(clamping: section.integer("removal_time") ?? 0)))
    }
    self.volumes = volumes
    func reference(_ name: String) -> Reference? {
      if name.hasPrefix("-") { return indices[String(name.dropFirst())].map { .gone($0) } }
      return graph.index(of: name).map { .live($0) }
    }
    for (index, section) in sections.enumerated() {
      if let origin = section.string("origin").flatMap(reference) { tie(.gone(index), to: origin) }
      for name in section.strings("descendants") ?? [] {
        if let descendant = reference(name) { tie(descendant, to: .gone(index)) }
      }
    }
  }

  private mutating func tie(_ descendant: Reference, to origin: Reference) {
    indirectOrigins[descendant] = origin
    indirectDescendants[origin, default: []].append(descendant)
  }

  func name(_ reference: Reference) -> String {
    switch reference {
    case .live(let index): graph.volumes[index].name
    case .gone(let index): "-" + volumes[index].name
    }
  }

  /// The volumes this one was made from, nearest first.
  ///
  /// - Parameters:
  ///   - withHistory: follow the chain through volumes that are gone.
  ///   - showsGone: list these, too.
  func ancestors(of start: Reference, withHistory: Bool, showsGone: Bool) -> [String] {
    var names: [String] = []
    var seen: Set<Reference> = [start]
    var current = start
    while let next = origin(of: current, withHistory: withHistory), seen.insert(next).inserted {
      if showsGone || isLive(next) { names.append(name(next)) }
      current = next
    }
    return names
  }

  /// The volumes that were made from this one, each followed by its own descendants.
  func descendants(of start: Reference, withHistory: Bool, showsGone: Bool) -> [String] {
    var names: [String] = []
    var seen: Set<Reference> = [start]
    var pending = Array(children(of: start, withHistory: withHistory).reversed())
    while let next = pending.popLast() {
      guard seen.insert(next).inserted else { continue }
      if showsGone || isLive(next) { names.append(name(next)) }
      pending += children(of: next, withHistory: withHistory).reversed()
    }
    return names
  }

  private func isLive(_ reference: Reference) -> Bool {
    if case .live = reference { true } else { false }
  }

  private func origin(of reference: Reference, withHistory: Bool) -> Reference? {
    if case .live(let index) = reference {
      let roles = graph.roles[index]
      if roles.contains(.cow) { return graph.snapshots[index].map { .live($0.origin) } }
      guard roles.contains(.thinVolume) else { return nil }
      if let origin = graph.reference(index, "origin") ?? graph.reference(index, "external_origin")
      {
        return .live(origin)
      }
    }
    return withHistory ? indirectOrigins[reference] : nil
  }

  private func children(of reference: Reference, withHistory: Bool) -> [Reference] {
    var children: [Reference] = []
    if case .live(let index) = reference {
      if graph.roles[index].contains(.origin) {
        return (graph.snapshotsByOrigin[index] ?? []).map { .live($0.store) }
      }
      for use in graph.uses[index] ?? [] where graph.roles[use.volume].contains(.thinVolume) {
        guard
          graph.reference(use.volume, "origin") == index
            || graph.reference(use.volume, "external_origin") == index
        else { continue }
        children.append(.live(use.volume))
      }
    }
    return withHistory ? children + (indirectDescendants[reference] ?? []) : children
  }
}
