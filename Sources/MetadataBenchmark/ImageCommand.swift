import ArgumentParser
import BlockDevices
import Glibc
import LVMMetadata

/// Makes an image file with a group.
struct ImageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "image",
    abstract: "Make a sparse image of a physical volume whose group has linear volumes.")

  @Argument(help: "How many volumes.")
  var count: Int
  @Argument(help: "The file; it must not exist.")
  var path: String

  func run() throws {
    var text = SampleText.text(volumeCount: count)
    let volume = text.volumeGroup.physicalVolumes[0]
    let size = (volume.deviceSizeSectors ?? 0) * 512
    let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR, 0o600)
    guard descriptor >= 0, ftruncate(descriptor, off_t(size)) == 0 else {
      throw ValidationError("\(path): \(String(cString: strerror(errno)))")
    }
    close(descriptor)
    let device = try BlockDevice(path: path, access: .readWrite)
    let area = DiskArea(offset: 4096, size: SampleText.extentStartSectors * 512 - 4096)
    let label = PhysicalVolumeLabel(
      id: volume.id, deviceSizeBytes: size,
      dataAreas: [DiskArea(offset: SampleText.extentStartSectors * 512, size: 0)],
      metadataAreas: [area], isUsed: true)
    try device.write(label.encoded(), at: 512)
    try device.write(MetadataAreaHeader(area: area).encoded(), at: area.offset)
    guard let scanned = MetadataScanner.scan([device]).physicalVolumes.first else {
      throw ValidationError("\(path): the label cannot be read back")
    }
    text.volumeGroup.seqno = 1
    var commit = try MetadataCommit(
      restoring: text, onto: [.init(id: volume.id, state: .present(scanned))])
    try commit.write()
    try commit.precommit()
    guard commit.commit() == .everywhere else { throw ValidationError("\(path): not committed") }
  }
}
