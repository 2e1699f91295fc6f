import LVMMetadata
import VolumeActivation

/// An entry of a devices file and the device that it means.
public struct DeviceAssignment: Sendable {
  public let entry: DevicesFile.Entry
  /// Nil when the device is not there.
  public let candidate: BlockDeviceCandidate?
  /// The PV that is on the device; nil when there is none, or no device.
  public let physicalVolume: LVMIdentifier?

  /// An entry with a stable identity means the device that has it, whatever PV is on it. One with
  /// nothing but a name means the device that has the PV: the one of that name, or another without a
  /// stable identity.
  static func all(
    of file: DevicesFile, among devices: [BlockDeviceScanner.FoundDevice]
  ) -> [DeviceAssignment] {
    var labels: [DeviceNumber: LVMIdentifier?] = [:]
    func physicalVolume(_ device: BlockDeviceScanner.FoundDevice) -> LVMIdentifier? {
      if let known = labels[device.number] { return known }
      let id = device.names.first.flatMap { path -> LVMIdentifier? in
        guard let device = try? BlockDevice(path: path, access: .readOnly) else { return nil }
        return (try? MetadataScanner.label(of: device))?.id
      }
      labels[device.number] = id
      return id
    }
    var used: Set<DeviceNumber> = []
    var found = file.entries.map { entry -> BlockDeviceScanner.FoundDevice? in
      guard let device = devices.first(where: { $0.identity.matches(entry) }) else { return nil }
      used.insert(device.number)
      return device
    }
    for (index, entry) in file.entries.enumerated() where entry.type == .deviceName {
      let free = devices.filter { !used.contains($0.number) }
      let named = free.first { $0.names.contains(entry.deviceName ?? entry.name) }
      if let named, entry.physicalVolume == nil || physicalVolume(named) == entry.physicalVolume {
        found[index] = named
      } else if entry.physicalVolume != nil {
        found[index] = free.first {
          !$0.identity.isStable && physicalVolume($0) == entry.physicalVolume
        }
      }
      if let number = found[index]?.number { used.insert(number) }
    }
    return zip(file.entries, found).map { entry, device in
      DeviceAssignment(
        entry: entry,
        candidate: device.flatMap { device in
          device.names.first.map {
            BlockDeviceCandidate(name: $0, path: $0, number: device.number)
          }
        }, physicalVolume: device.flatMap(physicalVolume))
    }
  }
}
