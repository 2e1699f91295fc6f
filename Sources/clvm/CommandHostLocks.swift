import BlockDevices
import LVMSystemDirectory

extension HostLocks {
  /// The locks of a command on `devices`. Image files are nobody's but those who are given their
  /// names: their groups' names mean nothing to LVM's commands on this host, and the files are locked
  /// themselves.
  ///
  /// - Parameters:
  ///   - skipping: locks nothing (`--nolocking`).
  ///   - maySkip: goes on where nothing can be locked (`--ignorelockingfailure`).
  convenience init(
    _ configuration: LVMConfiguration, skipping: Bool, maySkip: Bool = false,
    devices: [BlockDevice]
  ) throws {
    let isOnlyImages = !devices.isEmpty && devices.allSatisfy { $0.number == nil }
    do throws(HostLockError) {
      try self.init(configuration, skipping || isOnlyImages ? .none : .files, maySkip: maySkip)
    } catch {
      throw CommandFailure(error.messages)
    }
    for warning in warnings { Output.error("  " + warning) }
    guard !skipping else { return }
    do {
      try BlockDevice.lockImages(devices) { name in
        Output.error("  Waiting for \(name): another command is at work on it.")
      }
    } catch {
      throw CommandFailure("\(error)")
    }
    companions = devices
  }

  /// Takes a lock that allows changes, or ends the command as LVM's end then.
  func acquire(_ resource: Resource) throws {
    do {
      try acquire(resource, .exclusive)
    } catch {
      var failure = CommandFailure(error.messages)
      if case .volumeGroup(let name) = resource {
        failure.messages += ["Can't get lock for \(name).", "Cannot process volume group \(name)"]
      }
      throw failure
    }
  }
}
