import BlockDevices
import LVMMetadata
import VolumeCommands

/// What a device holds before it becomes a PV.
extension OfflineSession {
  /// A new label goes in their place.
  private static let ownTypes: Set<String> = ["LVM1_member", "LVM2_member"]

  /// Whatever others would take the device for goes only if the user says so.
  func clearSignatures(
    _ disk: Disk, _ options: PhysicalVolumeOptions
  ) throws(CommandStop) {
    let name = disk.device.name
    var refused: [String] = []
    var wiped: [ForeignSignature] = []
    do {
      try disk.device.reviewSignatures { signature in
        guard !Self.ownTypes.contains(signature.type) else { return false }
        guard options.isForced || confirm(signature.question(on: name)) else {
          refused.append("Aborted wiping of \(signature.type).")
          return false
        }
        wiped.append(signature)
        return true
      }
    } catch {
      throw CommandStop("\(error)", "\(name): physical volume not initialized.")
    }
    for signature in wiped {
      output("Wiping \(signature.type) signature on \(name).")
      if !isTest { try wipe(signature, on: disk) }
    }
    guard refused.isEmpty else {
      let count = refused.count
      throw CommandStop(
        messages: refused + [
          "\(count) existing signature\(count == 1 ? "" : "s") left on the device."
        ])
    }
  }

  private func wipe(_ signature: ForeignSignature, on disk: Disk) throws(CommandStop) {
    let unit = UInt64(disk.device.logicalSectorSize)
    let first = signature.offset / unit * unit
    let end = (signature.offset + UInt64(signature.byteCount) + unit - 1) / unit * unit
    do {
      var bytes = try disk.device.read(at: first, count: Int(end - first))
      for index in 0..<signature.byteCount { bytes[Int(signature.offset - first) + index] = 0 }
      try disk.device.write(bytes, at: first)
      try disk.device.flush()
    } catch {
      throw CommandStop("\(error)", "\(disk.device.name): physical volume not initialized.")
    }
  }
}
