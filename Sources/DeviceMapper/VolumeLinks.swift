import Glibc
import LVMSystemDirectory
import VolumeActivation

/// The links `/dev/VG/LV` to `/dev/mapper/NAME`, for machines without udev.
///
/// Work is collected, and carried out when nothing is suspended. Only devices of volumes proper
/// have links; internal ones have a layer in their name or a suffix in their UUID.
struct VolumeLinks {
  private enum Work: Equatable {
    case add(MappedDeviceName)
    case remove(MappedDeviceName)
  }

  private let deviceDirectory: String
  private var pending: [Work] = []

  init(deviceDirectory: String = DeviceDirectory.path) {
    self.deviceDirectory = deviceDirectory
  }

  mutating func add(_ device: MappedDevice) {
    if let name = Self.linked(device) { pending.append(.add(name)) }
  }

  mutating func remove(_ device: MappedDevice) {
    if let name = Self.linked(device) { pending.append(.remove(name)) }
  }

  mutating func forget() { pending = [] }

  private static func linked(_ device: MappedDevice) -> MappedDeviceName? {
    guard device.uuid.suffix == nil, let name = MappedDeviceName(device.name), name.layer == nil
    else { return nil }
    return name
  }

  /// Does what was collected. What fails is not tried again.
  mutating func carryOut() throws(DeviceMapperError) {
    let work = pending
    pending = []
    var problems: [String] = []
    for item in work {
      do {
        switch item {
        case .add(let name): try make(name)
        case .remove(let name): try unmake(name)
        }
      } catch {
        problems.append("\(error)")
      }
    }
    guard problems.isEmpty else {
      throw DeviceMapperError(
        operation: .settle, device: nil, code: 0, detail: problems.joined(separator: "; "))
    }
  }

  private struct LinkError: Error, CustomStringConvertible {
    let path: String
    let code: Int32
    var description: String { "\(path): \(String(cString: strerror(code)))" }
  }

  private func directory(of name: MappedDeviceName) -> String {
    "\(deviceDirectory)/\(name.volumeGroup)"
  }

  private func link(of name: MappedDeviceName) -> String {
    "\(directory(of: name))/\(name.logicalVolume)"
  }

  private func make(_ name: MappedDeviceName) throws(LinkError) {
    let directory = directory(of: name)
    let link = link(of: name)
    let target = "\(deviceDirectory)/mapper/\(name)"
    if mkdir(directory, 0o755) != 0, errno != EEXIST {
      throw LinkError(path: directory, code: errno)
    }
    if symlink(target, link) == 0 { return }
    guard errno == EEXIST else { throw LinkError(path: link, code: errno) }
    // A stale link is replaced; anything else there is not ours.
    guard let present = Self.target(ofLink: link) else {
      throw LinkError(path: link, code: EEXIST)
    }
    if present == target { return }
    guard unlink(link) == 0, symlink(target, link) == 0 else {
      throw LinkError(path: link, code: errno)
    }
  }

  private func unmake(_ name: MappedDeviceName) throws(LinkError) {
    let link = link(of: name)
    guard Self.target(ofLink: link) != nil else { return }
    guard unlink(link) == 0 else { throw LinkError(path: link, code: errno) }
    let directory = directory(of: name)
    if rmdir(directory) != 0, errno != ENOTEMPTY, errno != EEXIST {
      throw LinkError(path: directory, code: errno)
    }
  }

  /// Nil when there is no symbolic link at `path`.
  private static func target(ofLink path: String) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let start = buffer.baseAddress else { return nil }
      let count = readlink(path, start, buffer.count)
      guard count >= 0 else { return nil }
      return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
  }
}
