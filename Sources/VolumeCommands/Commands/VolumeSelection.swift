import LVMMetadata

/// LVs of several groups as the arguments name them: `VG/LV …`, whole groups, or `@TAG`.
struct VolumeSelection: Sendable {
  /// In the order of the command line; nil LVs stand for all of the group.
  private(set) var groups: [(name: String, volumes: [String]?)] = []
  /// LVs with one of these are meant, and all of groups that have one.
  private(set) var tags: [String] = []

  init(_ arguments: [String]) throws(CommandLineError) {
    for text in arguments {
      if text.hasPrefix("@") {
        tags.append(String(text.dropFirst()))
        continue
      }
      if let group = CommandArguments.volumeGroup(text) {
        if let index = groups.firstIndex(where: { $0.name == group }) {
          groups[index].volumes = nil
        } else {
          groups.append((group, nil))
        }
        continue
      }
      guard let (group, volume) = CommandArguments.volumePath(text) else {
        throw .path(text)
      }
      guard let index = groups.firstIndex(where: { $0.name == group }) else {
        groups.append((group, [volume]))
        continue
      }
      if groups[index].volumes?.contains(volume) == false { groups[index].volumes?.append(volume) }
    }
  }

  /// Nil when LVs of any group may be meant.
  var groupNames: [String]? { tags.isEmpty && !groups.isEmpty ? groups.map(\.name) : nil }

  /// An LV that is meant.
  struct Meant: Sendable {
    var name: String
    /// By its name, and not by a tag or with its whole group.
    var isNamed: Bool
  }

  /// The LVs of a group that are meant, in LVM's order; those that it does not have come last. LVs that
  /// users do not see are among them when they are named.
  func volumes(in group: VolumeGroup, where isSelected: (LVMIdentifier) -> Bool) -> [Meant] {
    let named = groups.first { $0.name == group.name }
    let isWhole =
      named.map { $0.volumes == nil } ?? (groups.isEmpty && tags.isEmpty)
      || tags.contains { group.tags.contains($0) }
    let wanted = named?.volumes ?? []
    var pools: [String] = []
    var others: [String] = []
    for volume in group.logicalVolumes {
      let isMeant =
        wanted.contains(volume.name)
        || group.isUsers(volume) && (isWhole || tags.contains { volume.tags.contains($0) })
      guard isMeant, isSelected(volume.id) else { continue }
      // LVM begins with thin pools.
      if volume.segments.first?.baseType == "thin-pool" {
        pools.insert(volume.name, at: 0)
      } else {
        others.append(volume.name)
      }
    }
    let missing = wanted.filter { group.logicalVolume(named: $0) == nil }
    return (pools + others + missing).map { Meant(name: $0, isNamed: wanted.contains($0)) }
  }
}

extension VolumeGroup {
  /// True for LVs that users see.
  func isUsers(_ volume: LogicalVolume) -> Bool {
    volume.isVisible != (snapshotBinding(ofStore: volume.name) != nil)
      && volume.segments.first?.baseType != "snapshot"
  }
}

extension GroupEdit {
  /// Does the same to each of some LVs. One that is refused does not keep the others from it, as in
  /// LVM: they are changed, and the command fails all the same.
  ///
  /// - Parameter body: tells whether there is something to write.
  mutating func forEach(
    _ volumes: [VolumeSelection.Meant],
    _ body: (inout GroupEdit, VolumeSelection.Meant) throws(VolumeGroupRefusal) -> Bool
  ) {
    var count = 0
    for volume in volumes {
      var edit = self
      do throws(VolumeGroupRefusal) {
        if try body(&edit, volume) { count += 1 }
        self = edit
      } catch {
        for line in edit.messages.dropFirst(messages.count) where line.stream == .error {
          warn(line.text)
        }
        for line in error.messages { warn(line) }
        isPartlyRefused = true
      }
    }
    if count == 0 { isUnchanged = true }
  }
}

/// Groups as the arguments name them: `VG …` or `@TAG …`.
struct GroupSelection: Sendable {
  private(set) var names: [String] = []
  private(set) var tags: [String] = []

  init(_ arguments: [String], _ command: String) throws(CommandLineError) {
    for text in arguments {
      if text.hasPrefix("@") {
        tags.append(String(text.dropFirst()))
        continue
      }
      guard let name = CommandArguments.volumeGroup(text), VolumeName.isValid(name) else {
        throw .usage(command, "Invalid volume group name \(text).")
      }
      if !names.contains(name) { names.append(name) }
    }
  }

  /// Nil when any group may be meant.
  var groupNames: [String]? { tags.isEmpty && !names.isEmpty ? names : nil }

  func contains(_ group: VolumeGroup) -> Bool {
    names.contains(group.name) || names.isEmpty && tags.isEmpty
      || tags.contains { group.tags.contains($0) }
  }
}

extension CommandLineError {
  /// LVM's status for a command that failed.
  static let failedStatus: Int32 = 5

  /// Where LVM has begun its work when it looks at the path of an LV.
  static func path(_ text: String) -> CommandLineError {
    var error = CommandLineError("\"\(text)\": Invalid path for Logical Volume.")
    error.status = failedStatus
    return error
  }
}

extension CommandArguments {
  /// The names of those of some groups that the arguments mean.
  public func groups(
    among groups: [VolumeGroup], where isSelected: (LVMIdentifier) -> Bool
  ) throws(CommandLineError) -> [String] {
    let selection = try GroupSelection(positional, command)
    return groups.filter { selection.contains($0) && isSelected($0.id) }.map(\.name)
  }

  /// The paths of those LVs of some groups that the arguments mean.
  public func volumes(
    of groups: [VolumeGroup], where isSelected: @escaping (LVMIdentifier) -> Bool
  ) throws(CommandLineError) -> [String] {
    let selection = try VolumeSelection(positional)
    return groups.flatMap { group in
      selection.volumes(in: group, where: isSelected).map { "\(group.name)/\($0.name)" }
    }
  }

  /// True for an lvchange that changes more than which devices there are.
  public var changesProperties: Bool {
    CommandForm.lvchange.first?.alternatives.contains { has($0.name) } ?? false
  }
}
