import BlockDevices
import Testing

@Suite("LVM's device filter")
struct DeviceFilterTests {
  @Test("the first pattern that matches a name decides about it")
  func takesFirstMatch() throws {
    let filter = try DeviceFilter(patterns: ["a|^/dev/sd[ab]$|", "r|.*|"])
    #expect(filter.matcher().acceptedName(among: ["/dev/sda"]) == "/dev/sda")
    #expect(filter.matcher().acceptedName(among: ["/dev/sda1"]) == nil)
    let reversed = try DeviceFilter(patterns: ["r|.*|", "a|sda|"])
    #expect(reversed.matcher().acceptedName(among: ["/dev/sda"]) == nil)
  }

  @Test("one accepted name is enough, and becomes the name")
  func acceptsByAnyName() throws {
    let filter = try DeviceFilter(patterns: ["a|/by-id/|", "r|.*|"])
    #expect(
      filter.matcher().acceptedName(among: ["/dev/sda", "/dev/disk/by-id/x"]) == "/dev/disk/by-id/x"
    )
  }

  @Test("a name that no pattern matches is accepted, unless another name is rejected")
  func acceptsByDefault() throws {
    let filter = try DeviceFilter(patterns: ["r|loop|"])
    #expect(filter.matcher().acceptedName(among: ["/dev/sda"]) == "/dev/sda")
    #expect(filter.matcher().acceptedName(among: ["/dev/sda", "/dev/loop1"]) == nil)
    #expect(filter.matcher().acceptedName(among: []) == nil)
    #expect(DeviceFilter.acceptingAll.matcher().acceptedName(among: ["/dev/loop1"]) == "/dev/loop1")
  }

  @Test(
    "any delimiter and brackets may quote",
    arguments: ["a/sda/", "a!sda!", "a(sda)", "a[sda]", "a{sda}", "a|^/dev/sd.$|"])
  func acceptsDelimiters(pattern: String) throws {
    let filter = try DeviceFilter(patterns: [pattern, "r|.*|"])
    #expect(filter.matcher().acceptedName(among: ["/dev/sda"]) == "/dev/sda")
    #expect(filter.matcher().acceptedName(among: ["/dev/vdb"]) == nil)
  }

  @Test(
    "what is no pattern is refused with its text",
    arguments: ["", "a", "a|", "sda", "x|sda|", "a|sda", "a|sd(a|", "a(sda("])
  func refusesBadPatterns(pattern: String) {
    let error = #expect(throws: DeviceFilterError.self) {
      try DeviceFilter(patterns: ["a|ok|", pattern])
    }
    #expect(error?.pattern == pattern)
  }
}
