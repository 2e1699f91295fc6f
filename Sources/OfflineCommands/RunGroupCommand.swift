import BlockDevices
import LVMMetadata
import VolumeCommands

/// Commands that change volume groups, each by itself.
extension OfflineSession {
  func run(_ command: any GroupCommand) -> Int32 {
    reporting { () throws(CommandStop) in
      if let rename = command as? RenameGroupCommand {
        return try underGlobalLock(.exclusive) { () throws(CommandStop) in
          try underLock(ofGroups: rename.oldName, rename.newName) { () throws(CommandStop) in
            try run(command, on: rename.oldName)
            return 0
          }
        }
      }
      if let names = command.groupNames { return run(command, onEach: names) }
      return try underGlobalLock(.shared) { () throws(CommandStop) in
        run(command, onEach: try groupNames(command))
      }
    }
  }

  private func run(_ command: any GroupCommand, onEach names: [String]) -> Int32 {
    var status: Int32 = 0
    for name in names {
      let result = reporting { () throws(CommandStop) in
        try underLock(ofGroups: name) { () throws(CommandStop) in
          try run(command, on: name)
          return 0
        }
      }
      if result != 0 { status = result }
    }
    return status
  }

  private func groupNames(_ command: any GroupCommand) throws(CommandStop) -> [String] {
    if let move = command as? MoveCommand {
      guard let disk = disk(move.sourceDevice), let volume = physicalVolume(on: disk),
        let group = group(of: volume.label.id)
      else {
        throw CommandStop("Failed to find physical volume \"\(move.sourceDevice)\".")
      }
      return [group.volumeGroup.name]
    }
    // Groups of others are passed over in silence when none is named.
    return scan.groups.map(\.volumeGroup).filter { group in
      switch group.accessClass(hostSystemID: settings.systemID) {
      case .foreign, .shared: false
      case .local, .exported, .clustered: true
      }
    }.map(\.name)
  }

  private func run(_ command: any GroupCommand, on name: String) throws(CommandStop) {
    let current = try group(named: name)
    showWarnings(of: current)
    try checkComplete(current)
    if let rename = command as? RenameGroupCommand, rename.newName != name,
      !scan.groups(named: rename.newName).isEmpty
    {
      throw CommandStop("New volume group \"\(rename.newName)\" already exists")
    }
    var context = context
    context.reviewSignatures = { volume, isWiped throws(VolumeGroupRefusal) in
      volume.open(on: current)
      do {
        try volume.reviewSignatures(isWiped)
      } catch {
        throw VolumeGroupRefusal("\(error)")
      }
    }
    switch command.edit(current.volumeGroup, context) {
    case .failure(let failure):
      show(failure.messages)
      throw CommandStop(messages: [], status: CommandStop.failed)
    case .success(let edit):
      // LVM writes a new version even when tags and the like are what they were.
      if !isTest, !edit.isUnchanged { try commit(edit, from: current) }
      show(edit.messages)
      if !isTest { rescan() }
      guard !edit.isPartlyRefused else {
        throw CommandStop(messages: [], status: CommandStop.failed)
      }
    }
  }
}
