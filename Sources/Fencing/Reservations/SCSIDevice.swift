import CLinux
import Glibc

/// One path to a disk, through the kernel.
public struct SCSIDevice: ReservationTarget, ~Copyable {
  /// The device answers in far less; a path that is down must not hold up a fence.
  private static let timeoutMilliseconds: UInt32 = 5000

  public let name: String
  private let descriptor: Int32

  public init(path: String) throws(ReservationError) {
    name = path
    descriptor = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw ReservationError(
        .failed, "\(path) cannot be opened: \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  public mutating func perform(
    _ command: SCSICommand
  ) throws(ReservationError) -> (status: SCSIStatus, data: [UInt8]) {
    var (sends, data): (Bool, [UInt8]) =
      switch command.data {
      case .send(let bytes): (true, bytes)
      case .receive(let count): (false, [UInt8](repeating: 0, count: count))
      }
    var sense = [UInt8](repeating: 0, count: 32)
    var result = clinux_scsi_result()
    let code = clinux_scsi_command(
      descriptor, command.block, command.block.count, sends ? 1 : 0, &data, data.count, &sense,
      Self.timeoutMilliseconds, &result)
    guard code == 0 else {
      let reason = errno
      throw ReservationError(
        reason == ENOTTY || reason == EINVAL || reason == EOPNOTSUPP ? .unsupported : .failed,
        "\(name) takes no SCSI commands: \(String(cString: strerror(reason)))")
    }
    guard result.host_status == 0 else {
      throw ReservationError(
        .failed, "\(name): the way to the device has failed (host status \(result.host_status))")
    }
    let status = SCSIStatus(result.status, sense: sense.prefix(Int(result.sense_count)))
    let received = sends ? [] : Array(data.prefix(data.count - min(result.residual, data.count)))
    return (status, received)
  }

  /// What the device itself is called on every node and path, as in `naa.600140500000000`; throws where
  /// it has no such name, or its paths have different ones.
  public static func identity(of device: String) throws(ReservationError) -> String {
    var found: String?
    for path in try paths(of: device) {
      let name = path.split(separator: "/").last.map(String.init) ?? path
      let identity = readLine("/sys/class/block/\(name)/device/wwid")
      guard let identity, !identity.isEmpty else {
        throw ReservationError(.unsupported, "\(path) has no name that all nodes would know it by")
      }
      guard found == nil || found == identity else {
        throw ReservationError(.failed, "\(device) has paths to different disks")
      }
      found = identity
    }
    guard let found else { throw ReservationError(.failed, "\(device) has no path") }
    return found
  }

  /// The whole disks on which a block device lies, by their kernel names: below partitions, multipath and
  /// other mapped devices.
  public static func disks(under device: String) throws(ReservationError) -> Set<String> {
    var status = stat()
    guard stat(device, &status) == 0, status.st_mode & S_IFMT == S_IFBLK else {
      throw ReservationError(.failed, "\(device) is no block device")
    }
    let below = try paths(of: device)
    guard below == [device] else {
      var found: Set<String> = []
      for path in below { found.formUnion(try disks(under: path)) }
      return found
    }
    let number = "\(clinux_device_major(status.st_rdev)):\(clinux_device_minor(status.st_rdev))"
    guard let resolved = realpath("/sys/dev/block/\(number)", nil) else {
      throw ReservationError(.failed, "the kernel does not say on which disk \(device) lies")
    }
    defer { free(resolved) }
    let names = String(cString: resolved).split(separator: "/").map(String.init)
    let isPartition = access("/sys/dev/block/\(number)/partition", F_OK) == 0
    guard let name = isPartition ? names.dropLast().last : names.last else {
      throw ReservationError(.failed, "the kernel does not say on which disk \(device) lies")
    }
    return [name]
  }

  /// A short text of the kernel's, without what surrounds it; nil when there is none.
  private static func readLine(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return String(decoding: bytes[..<count].filter { $0 > 0x20 }, as: UTF8.self)
  }

  /// The paths of a device: the disks below a multipath device, or itself.
  public static func paths(of device: String) throws(ReservationError) -> [String] {
    var status = stat()
    guard stat(device, &status) == 0, status.st_mode & S_IFMT == S_IFBLK else {
      throw ReservationError(.failed, "\(device) is no block device")
    }
    let numbers =
      "\(clinux_device_major(status.st_rdev)):\(clinux_device_minor(status.st_rdev))"
    guard let stream = opendir("/sys/dev/block/\(numbers)/slaves") else { return [device] }
    defer { closedir(stream) }
    var found: [String] = []
    while let entry = readdir(stream) {
      let text = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !text.hasPrefix(".") { found.append("/dev/\(text)") }
    }
    return found.isEmpty ? [device] : found.sorted()
  }
}
