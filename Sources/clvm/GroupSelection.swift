import ArgumentParser
import BlockDevices
import LVMMetadata
import LVMSystemDirectory

/// What the commands on the metadata of whole groups have in common. They work on the disks
/// themselves, like LVM's.
struct MetadataOptions: ParsableArguments {
  @OptionGroup var deviceOptions: DeviceOptions

  @Flag(name: [.short, .long], help: "Do not ask.")
  var yes = false

  @Flag(name: [.short, .long], help: "Say less.")
  var quiet: Int

  @Flag(name: [.short, .long], help: "Say more.")
  var verbose: Int

  @Flag(name: [.short, .long], help: "Decide everything, change nothing.")
  var test = false

  @Flag(help: "Lock nothing: no other command may be at work.")
  var nolocking = false

  func configuration() throws -> LVMConfiguration {
    try deviceOptions.settings.configuration()
  }

  /// Reads the disks and prints what is wrong with them.
  func scan(_ access: BlockDevice.Access) throws -> MetadataScan {
    let scan = MetadataScanner.scan(try deviceOptions.open(access))
    for warning in scan.warnings { Output.error("  WARNING: \(warning)") }
    return scan
  }

  /// Locks the group against LVM's commands on this host, as long as the result lives.
  ///
  /// A shared group is locked by the cluster, which these commands cannot do: they change it only
  /// where the devices are given, so that somebody has made sure that nobody else uses them.
  ///
  /// - Parameter withGlobal: also locks which devices are PVs.
  func lock(
    _ group: String, isShared: Bool, withGlobal: Bool = false
  ) throws -> HostLocks {
    guard !isShared || deviceOptions.isGiven else {
      throw CommandFailure(
        "Volume group \(group) is shared: LVM's own command can change it under the cluster's "
          + "lock; with --devices it is changed without one.")
    }
    let locks = try HostLocks(
      try configuration(), skipping: nolocking, devices: try deviceOptions.open(.readOnly))
    if withGlobal { try locks.acquire(.global) }
    try locks.acquire(.volumeGroup(group))
    return locks
  }
}

/// The groups that a command works on, in LVM's order, and what it cannot find.
struct GroupSelection {
  private(set) var groups: [ScannedVolumeGroup] = []
  private(set) var failures: [String] = []

  /// - Parameters:
  ///   - names: as on the command line; empty for all groups that this host may use.
  ///   - includesForeign: groups of other hosts, too.
  init(_ names: [String], _ scan: MetadataScan, includesForeign: Bool, hostSystemID: String?) {
    guard !names.isEmpty else {
      for group in scan.groups {
        switch group.volumeGroup.accessClass(hostSystemID: hostSystemID) {
        case .foreign where !includesForeign: break
        case .clustered:
          Output.error("  Skipping clustered VG \(group.volumeGroup.name).")
        case .exported, .foreign, .shared, .local: groups.append(group)
        }
      }
      return
    }
    for text in names {
      let name = VolumePath.volumeGroup(text) ?? text
      let found = scan.groups(named: name)
      if found.isEmpty {
        failures += ["Volume group \"\(name)\" not found", "Cannot process volume group \(name)"]
      }
      for group in found {
        if case .foreign(let systemID) = group.volumeGroup.accessClass(hostSystemID: hostSystemID),
          !includesForeign
        {
          failures.append(
            "Cannot access VG \(name) with system ID \(systemID) with unknown local system ID.")
        } else {
          groups.append(group)
        }
      }
    }
  }

  /// Ends the command with LVM's status when something was missing or went wrong.
  func finish(_ more: [String] = []) throws {
    let messages = failures + more
    guard messages.isEmpty else {
      var failure = CommandFailure()
      failure.messages = messages
      throw failure
    }
  }
}
