import Testing
import VolumeActivation

@Suite("Names and UUIDs of mapped devices")
struct MappedDeviceNameTests {
  @Test("hyphens are doubled and found again")
  func escapesHyphens() throws {
    let name = try #require(
      MappedDeviceName(volumeGroup: "my-vg--1.x+y_z", logicalVolume: "a-b--c.d+e_f"))
    #expect(name.text == "my--vg----1.x+y_z-a--b----c.d+e_f")
    #expect(MappedDeviceName(name.text) == name)
  }

  @Test("of three hyphens the first two are one that belongs to the group's name")
  func splitsThreeHyphens() throws {
    let name = try #require(MappedDeviceName("vg---lv"))
    #expect(name.volumeGroup == "vg-")
    #expect(name.logicalVolume == "lv")
  }

  @Test("a third part is a layer")
  func splitsLayers() throws {
    let name = try #require(MappedDeviceName("vg-a--b-real"))
    #expect(name.volumeGroup == "vg")
    #expect(name.logicalVolume == "a-b")
    #expect(name.layer == "real")
  }

  @Test(
    "what LVM cannot have made is no name",
    arguments: ["", "vg", "vg-", "-lv", "vg--lv", "a-b-c-d", "vg-l v", "vg-lv/x", "vg-é"])
  func refusesForeignNames(text: String) {
    #expect(MappedDeviceName(text) == nil)
  }

  @Test("127 bytes fit, 128 do not")
  func limitsLength() {
    let long = String(repeating: "v", count: 124)
    #expect(MappedDeviceName(volumeGroup: long, logicalVolume: "lv") != nil)
    #expect(MappedDeviceName(volumeGroup: long, logicalVolume: "lvx") == nil)
    #expect(MappedDeviceName(volumeGroup: long, logicalVolume: "-l") == nil)
  }

  @Test(
    "what has not LVM's form is no UUID",
    arguments: [
      "", "LVM-", "LVM-" + String(repeating: "a", count: 63),
      "CRYPT-" + String(repeating: "a", count: 62),
      "LVM-" + String(repeating: "a", count: 63) + "-",
      "LVM-" + String(repeating: "a", count: 64) + "-",
      "LVM-" + String(repeating: "a", count: 64) + "real",
      "LVM-" + String(repeating: "a", count: 64) + "-" + String(repeating: "x", count: 60),
    ])
  func refusesForeignUUIDs(text: String) {
    #expect(MappedDeviceUUID(text) == nil)
  }

  @Test("a suffix marks an internal device")
  func splitsSuffix() throws {
    let text = "LVM-" + String(repeating: "a", count: 64) + "-tpool"
    let uuid = try #require(MappedDeviceUUID(text))
    #expect(uuid.suffix == "tpool")
    #expect(uuid.text == text)
  }
}
