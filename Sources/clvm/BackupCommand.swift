import ArgumentParser
import LVMMetadata
import LVMSystemDirectory

/// vgcfgbackup, as LVM's.
struct GroupBackupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vgcfgbackup", abstract: "Write the metadata of volume groups into files.")

  @OptionGroup var options: MetadataOptions

  @Option(
    name: [.customShort("f", allowingJoined: true), .long],
    help: "The file, instead of the one in the backup directory; %s stands for the group's name.")
  var file: String?

  @Flag(name: .long, help: "Also groups that belong to other hosts.")
  var foreign = false

  @Flag(name: .long, help: "No effect: nothing is written to the disks in any case.")
  var readonly = false

  @Flag(name: .long, help: "No effect: reading needs no lock.")
  var ignorelockingfailure = false

  @Argument(help: "Only these volume groups.")
  var names: [String] = []

  func run() throws {
    let configuration = try options.configuration()
    let backups = MetadataBackups(configuration)
    let selection = GroupSelection(
      names, try options.scan(.readOnly), includesForeign: foreign,
      hostSystemID: HostSystemID(configuration).value)
    var failures: [String] = []
    var written: Set<String> = []
    for group in selection.groups {
      let name = group.volumeGroup.name
      do {
        try backUp(group, backups, &written)
        if options.quiet == 0 || file != nil {
          Output.line("  Volume group \"\(name)\" successfully backed up.")
        }
      } catch let failure as CommandFailure {
        failures += failure.messages
      }
    }
    try selection.finish(failures)
  }

  private func backUp(
    _ group: ScannedVolumeGroup, _ backups: MetadataBackups, _ written: inout Set<String>
  ) throws {
    let volumeGroup = group.volumeGroup
    guard let file else {
      guard group.missingPhysicalVolumes.isEmpty else {
        throw CommandFailure(
          "No backup taken: specify filename with -f to backup with missing PVs.")
      }
      guard !volumeGroup.hasUnknownSegments else {
        throw CommandFailure(
          "No backup taken: specify filename with -f to backup with unknown segments.")
      }
      let description = "Created *after* executing '\(CommandLineText.text)'"
      return try write(volumeGroup, description, to: backups.backupPath(of: volumeGroup.name))
    }
    let path = try Self.expand(file, volumeGroup.name)
    guard written.insert(path).inserted else {
      throw CommandFailure(
        "VGs must be backed up into different files. Use %s in filename for VG name.")
    }
    try write(volumeGroup, CommandLineText.text, to: path)

    func write(_ group: VolumeGroup, _ description: String, to path: String) throws {
      if options.verbose > 0 {
        Output.line("  Creating volume group backup \"\(path)\" (seqno \(group.seqno)).")
      }
      guard !options.test else { return }
      do {
        try backups.write(group, description: description, to: path)
      } catch {
        throw CommandFailure("\(error)")
      }
    }
  }

  /// `%s` stands for the group's name, `%%` for a percent sign.
  private static func expand(_ template: String, _ name: String) throws -> String {
    var path = ""
    var rest = template[...]
    while let percent = rest.firstIndex(of: "%") {
      path += rest[..<percent]
      rest = rest[percent...].dropFirst()
      switch rest.popFirst() {
      case "s"?: path += name
      case "%"?: path += "%"
      default: throw CommandFailure("Error processing filename template \(template)")
      }
    }
    return path + rest
  }
}

/// The words of this command as LVM would note them.
enum CommandLineText {
  static var text: String {
    // Without the program's name: what is left reads like a command of LVM's.
    CommandLine.arguments.dropFirst().joined(separator: " ")
  }
}
