import LVMMetadata
import VolumeCommands

/// Commands that change volume groups, each by itself.
extension OfflineSession {
  func run(_ command: any GroupCommand) -> Int32 {
    var status: Int32 = 0
    do throws(CommandStop) {
      for name in try groupNames(command) {
        do throws(CommandStop) {
          try run(command, on: name)
        } catch {
          for line in error.messages { self.error(line) }
          status = error.status
        }
      }
    } catch {
      for line in error.messages { self.error(line) }
      return error.status
    }
    return status
  }

  private func groupNames(_ command: any GroupCommand) throws(CommandStop) -> [String] {
    if let names = command.groupNames { return names }
    if let move = command as? MoveCommand {
      guard let disk = disk(move.sourceDevice), let volume = physicalVolume(on: disk),
        let group = group(of: volume.label.id)
      else {
        throw CommandStop("Failed to find physical volume \"\(move.sourceDevice)\".")
      }
      return [group.volumeGroup.name]
    }
    return scan.groups.map(\.volumeGroup.name).sorted()
  }

  private func run(_ command: any GroupCommand, on name: String) throws(CommandStop) {
    let current = try group(named: name)
    showWarnings(of: current)
    if let rename = command as? RenameGroupCommand, rename.newName != name,
      !scan.groups(named: rename.newName).isEmpty
    {
      throw CommandStop("New volume group \"\(rename.newName)\" already exists")
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
    }
  }
}

extension CommandStop {
  fileprivate init(messages: [String], status: Int32) {
    self.messages = messages
    self.status = status
  }
}
