import Glibc
import Testing
import VolumeActivation

@testable import DeviceMapper

@Suite("Links of volumes under /dev")
struct VolumeLinksTests {
  private let directory: String
  private let uuidText = "LVM-" + String(repeating: "a", count: 64)

  init() throws {
    var template = Array("/tmp/clvmd-links-XXXXXX".utf8CString)
    directory = try template.withUnsafeMutableBufferPointer { buffer in
      let path = try #require(buffer.baseAddress.flatMap { mkdtemp($0) })
      return String(cString: path)
    }
  }

  private func device(_ name: String, suffix: String = "") throws -> MappedDevice {
    MappedDevice(
      name: name, uuid: try #require(MappedDeviceUUID(uuidText + suffix)),
      number: DeviceNumber(major: 254, minor: 0))
  }

  private func target(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("\(directory)/\(path)", &buffer, buffer.count)
    return count < 0
      ? nil : String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  @Test("a volume's link is made when the work is carried out, and removed with its folder")
  func makesAndRemoves() throws {
    var links = VolumeLinks(deviceDirectory: directory)
    links.add(try device("my--vg-a"))
    #expect(target("my-vg/a") == nil)
    try links.carryOut()
    #expect(target("my-vg/a") == "\(directory)/mapper/my--vg-a")
    links.add(try device("my--vg-b"))
    links.remove(try device("my--vg-a"))
    try links.carryOut()
    #expect(target("my-vg/a") == nil)
    #expect(target("my-vg/b") != nil)
    links.remove(try device("my--vg-b"))
    try links.carryOut()
    #expect(access("\(directory)/my-vg", F_OK) != 0)
    #expect(rmdir(directory) == 0)
  }

  @Test("internal devices and strangers get no link")
  func ignoresInternalDevices() throws {
    var links = VolumeLinks(deviceDirectory: directory)
    links.add(try device("vg-a-real", suffix: "-real"))
    links.add(try device("vg-a-cow"))
    links.add(try device("stranger"))
    try links.carryOut()
    #expect(rmdir(directory) == 0)
  }

  @Test("a stale link is replaced; a file in its place is left and told")
  func replacesOnlyLinks() throws {
    var links = VolumeLinks(deviceDirectory: directory)
    #expect(mkdir("\(directory)/vg", 0o755) == 0)
    #expect(symlink("/nowhere", "\(directory)/vg/a") == 0)
    links.add(try device("vg-a"))
    try links.carryOut()
    #expect(target("vg/a") == "\(directory)/mapper/vg-a")

    let file = open("\(directory)/vg/b", O_CREAT | O_WRONLY, 0o600)
    #expect(file >= 0)
    close(file)
    links.add(try device("vg-b"))
    let error = #expect(throws: DeviceMapperError.self) { try links.carryOut() }
    #expect(error?.detail.contains("vg/b") == true)
    #expect(unlink("\(directory)/vg/b") == 0)
    links.remove(try device("vg-a"))
    try links.carryOut()
    #expect(rmdir(directory) == 0)
  }
}
