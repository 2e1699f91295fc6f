import ArgumentParser
import ClusterDaemon

/// The administrator's view of a node: what the cluster does, and what is on the disks.
@main
struct Clvm: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clvm",
    abstract: "Look at and change a cluster of volume groups.",
    discussion: """
      pvs, vgs, lvs, pvdisplay, vgdisplay, lvdisplay, pvscan, vgscan, lvscan, pvck, lvmdevices, \
      dm-tables, vgcfgbackup, vgcfgrestore and vgck work on the disks and need no daemon. lvcreate, lvextend, lvreduce, lvresize, lvrename, lvremove, lvchange, lvconvert, \
      vgcreate, vgextend, vgreduce, vgremove, vgrename, vgchange, pvcreate, pvremove, pvresize, \
      pvchange and pvmove take LVM's own command lines; those about volume groups that the cluster \
      shares go to clvmd, as do all other commands.
      """,
    version: DaemonRelease.text,
    subcommands: [
      StatusCommand.self, NodesCommand.self, NodeCommand.self, ClusterCommand.self,
      LockspacesCommand.self,
      LocksCommand.self, LockCommand.self, PhysicalVolumesCommand.self, VolumeGroupsCommand.self,
      LogicalVolumesCommand.self, FullReportCommand.self, ExtendCommand.self, ReduceCommand.self,
      GroupBackupCommand.self, GroupRestoreCommand.self, GroupCheckCommand.self,
      MappedDevicesCommand.self, DeviceTablesCommand.self, LogicalVolumeChangeCommand.self,
      VolumeGroupChangeCommand.self, DevicesFileCommand.self,
      PhysicalVolumeDisplayCommand.self, VolumeGroupDisplayCommand.self,
      LogicalVolumeDisplayCommand.self, PhysicalVolumeScanCommand.self,
      VolumeGroupScanCommand.self, LogicalVolumeScanCommand.self,
      PhysicalVolumeCheckCommand.self,
    ])

  static func main() {
    if let status = VolumeCommandLine.run(Array(CommandLine.arguments.dropFirst())) {
      Output.exit(status)
    }
    do {
      var command = try parseAsRoot(ShortOptions.separated(CommandLine.arguments.dropFirst()))
      try command.run()
      Output.flush()
    } catch let failure as CommandFailure {
      Output.flush()
      for line in failure.messages { Output.error("  " + line) }
      Output.exit(failure.status)
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
