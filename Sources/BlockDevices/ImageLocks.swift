import Glibc
import LVMMetadata

/// Image files have no locks of LVM's: two commands that change the same ones take turns by locks on the
/// files themselves, which the kernel lets go when the descriptors are closed.
extension BlockDevice {
  /// Waits until nobody else has the image files among `devices` locked, and locks them until they are
  /// closed; devices are left to LVM's locks.
  ///
  /// All who lock several files take them in one order, so that nobody waits in a circle; a file that is
  /// there twice is locked once.
  ///
  /// - Parameter willWait: called with the name of the first image that somebody else has locked.
  /// - Throws: when a file cannot be locked.
  public static func lockImages(
    _ devices: [BlockDevice], willWait: (String) -> Void = { _ in }
  ) throws(MetadataDeviceError) {
    var images: [FileIdentity: BlockDevice] = [:]
    for device in devices where device.number == nil {
      images[try device.fileIdentity()] = device
    }
    for (_, image) in images.sorted(by: { $0.key < $1.key }) {
      if try image.lock(waiting: false) { continue }
      willWait(image.name)
      _ = try image.lock(waiting: true)
    }
  }
}

/// Which file it is, whatever it is called.
struct FileIdentity: Hashable, Comparable {
  let device: UInt64
  let file: UInt64

  static func < (left: FileIdentity, right: FileIdentity) -> Bool {
    (left.device, left.file) < (right.device, right.file)
  }
}
