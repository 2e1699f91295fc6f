import LVMMetadata

/// Which command lines are not for every LV, and which options of lvchange (lvchange(8)).
extension GroupEdit {
  private enum Requirement {
    /// The LV is of one of these types, as LVM calls them.
    case types([String])
    case notType(String)
    /// The LV does not have the property.
    case lacks(Property)
  }

  /// What LVM calls properties of an LV.
  private enum Property: String {
    case thickOrigin = "lv_is_thick_origin"
    case externalOrigin = "lv_is_external_origin"
    case raidImage = "lv_is_raid_image"
    case raidMetadata = "lv_is_raid_metadata"
    case mirrorImage = "lv_is_mirror_image"
    case mirrorLog = "lv_is_mirror_log"
    case pvmove = "lv_is_pvmove"
  }

  /// Without options, the rule is for all command lines.
  private struct Rule {
    var options: [String] = []
    /// The options make another form of the command line, and LVM does not speak of them.
    var isForForm = false
    var requirements: [Requirement]
  }

  /// `-My --minor N`, a form of its own, among the names of options.
  static let fixedMinor = "persistent=y"

  private static let changeRules: [Rule] = [
    Rule(
      options: [fixedMinor], isForForm: true,
      requirements: [.notType("thinpool"), .notType("cachepool"), .notType("vdopool")]),
    Rule(requirements: [.lacks(.pvmove), .lacks(.mirrorLog), .lacks(.mirrorImage)]),
    Rule(options: ["minrecoveryrate", "maxrecoveryrate"], requirements: [.types(["raid"])]),
    Rule(options: ["errorwhenfull", "discards", "zero"], requirements: [.types(["thinpool"])]),
    Rule(
      options: ["permission"],
      requirements: [
        .notType("thinpool"), .lacks(.externalOrigin), .lacks(.raidMetadata), .lacks(.raidImage),
      ]),
    Rule(
      options: ["alloc", "contiguous", "metadataprofile", "persistent", "profile", "readahead"],
      requirements: [.lacks(.thickOrigin)]),
  ]

  /// LVM's words on options that are not for the LV.
  func optionProblems(_ options: [String], of volume: LogicalVolume) -> [String] {
    let subject = "Command on LV \(group.name)/\(volume.name)"
    let type = ruleType(of: volume)
    var problems: [String] = []
    for rule in Self.changeRules
    where rule.options.isEmpty || rule.options.contains(where: options.contains) {
      var properties: [String] = []
      for requirement in rule.requirements {
        switch requirement {
        case .types(let types):
          guard !types.contains(type) else { continue }
          let list = types.map { "\($0) " }.joined()
          problems.append("\(subject) uses options that require LV types \(list).")
        case .notType(let other):
          guard type == other else { continue }
          problems.append(
            rule.isForForm
              ? "\(subject) with invalid LV type \(type)."
              : "\(subject) uses options invalid with LV type \(type).")
        case .lacks(let property):
          if has(property, volume) { properties.append(property.rawValue) }
        }
      }
      guard !properties.isEmpty else { continue }
      let list = properties.map { "\($0) " }.joined()
      problems.append(
        rule.options.isEmpty
          ? "\(subject) is invalid on LV with properties: \(list)."
          : "\(subject) uses options that are invalid with LV properties: \(list).")
    }
    return problems
  }

  /// Throws unless an LV has one of the types, as LVM calls them.
  func checkType(of name: String, _ types: [Substring]) throws(VolumeGroupRefusal) {
    guard !types.isEmpty, let volume = group.logicalVolume(named: name) else { return }
    let type = ruleType(of: volume)
    let base = volume.segments.first?.baseType.split(separator: "_").first ?? ""
    guard !types.contains(Substring(type)), type != "raid" || !types.contains(base) else { return }
    let path = "\(group.name)/\(name)"
    throw VolumeGroupRefusal(
      "Command on LV \(path) does not accept LV type \(type).",
      "Command not permitted on LV \(path).")
  }

  /// A snapshot's store has linear segments.
  private func ruleType(of volume: LogicalVolume) -> String {
    if group.snapshotBinding(ofStore: volume.name) != nil { return "snapshot" }
    let word = volume.typeWord
    return word.hasPrefix("raid") ? "raid" : word
  }

  private func has(_ property: Property, _ volume: LogicalVolume) -> Bool {
    switch property {
    case .thickOrigin: !group.snapshotBindings(ofOrigin: volume.name).isEmpty
    case .externalOrigin:
      group.logicalVolumes.contains {
        $0.segments.first?.volumeName("external_origin") == volume.name
      }
    case .raidImage: isPart(volume, of: "raid", "_rimage_")
    case .raidMetadata: isPart(volume, of: "raid", "_rmeta_")
    case .mirrorImage: isPart(volume, of: "mirror", "_mimage_")
    case .mirrorLog: isPart(volume, of: "mirror", "_mlog")
    case .pvmove: volume.status.contains(.pvmove)
    }
  }

  private func isPart(_ volume: LogicalVolume, of type: String, _ word: String) -> Bool {
    !volume.isVisible && volume.name.contains(word)
      && group.logicalVolumes.contains { user in
        user.referencedNames.contains(volume.name)
          && user.segments.first?.baseType.hasPrefix(type) == true
      }
  }
}
