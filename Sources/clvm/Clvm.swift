import ArgumentParser
import CAllocator
import ClusterDaemon
import OfflineCommands

/// The administrator's view of a node: what the cluster does, and what is on the disks.
@main
struct Clvm: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clvm",
    abstract: "Look at and change a cluster of volume groups.",
    discussion: """
      pvs, vgs, lvs, fullreport, pvdisplay, vgdisplay, lvdisplay, pvscan, vgscan, lvscan, pvck, lvmdevices, \
      dm-tables, vgcfgbackup, vgcfgrestore and vgck work on the disks and need no daemon. lvcreate, lvextend, lvreduce, lvresize, lvrename, lvremove, lvchange, lvconvert, \
      vgcreate, vgextend, vgreduce, vgremove, vgrename, vgchange, pvcreate, pvremove, pvresize, \
      pvchange and pvmove take LVM's own command lines; those about volume groups that the cluster \
      shares go to clvmd, as do all other commands.
      """,
    version: DaemonRelease.text,
    subcommands: [
      StatusCommand.self, NodesCommand.self, NodeCommand.self, ClusterCommand.self,
      LockspacesCommand.self,
      LocksCommand.self, LockCommand.self, ExtendCommand.self, ReduceCommand.self,
      GroupBackupCommand.self, GroupRestoreCommand.self, GroupCheckCommand.self,
      MappedDevicesCommand.self, DeviceTablesCommand.self, LogicalVolumeChangeCommand.self,
      VolumeGroupChangeCommand.self, DevicesFileCommand.self, PhysicalVolumeCheckCommand.self,
    ])

  private static func hasLVMsCommandLine(_ name: String) -> Bool {
    OfflineCommand.named(name) != nil || DiskCommands.all.contains { $0.name == name }
  }

  static func main() {
    callocator_expect_short_life()
    var words = Array(CommandLine.arguments.dropFirst())
    if let script = Completion.script(words) {
      Output.line(script)
      Output.flush()
      Output.exit(.success)
    }
    if words.count == 2, words[0] == "help", hasLVMsCommandLine(words[1]) {
      words = [words[1], "--help"]
    }
    if let status = DiskCommands.run(words) { Output.exit(status) }
    switch VolumeCommandLine.run(words) {
    case .done(let status): Output.exit(status)
    case .words(let rest): words = rest
    }
    do {
      var command = try parseAsRoot(words)
      try command.run()
      Output.flush()
    } catch let failure as CommandFailure {
      Output.exit(CommandFailure.show(failure))
    } catch {
      Output.flush()
      // Help and completion scripts come as errors, too; they are no failure.
      let text = fullMessage(for: error)
      let code = exitCode(for: error)
      if code.isSuccess {
        if !text.isEmpty { Output.line(text) }
        Output.flush()
        Output.exit(.success)
      }
      if !text.isEmpty { Output.error(text) }
      Output.exit(code == .validationFailure ? .invalidCommandLine : .failed)
    }
  }
}
