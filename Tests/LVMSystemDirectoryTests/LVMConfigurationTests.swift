import LVMSystemDirectory
import Testing

@Suite struct LVMConfigurationTests {
  @Test func theCommandLineDecidesBeforeLocalAndGeneralFiles() throws {
    let folder = try TemporaryFolder()
    try folder.write("a { x = 1 y = 1 z = 1 } b/c = \"word\"", to: "lvm.conf")
    try folder.write("a { y = 2 z = 2 }", to: "lvmlocal.conf")
    let configuration = try LVMConfiguration(systemDirectory: folder.path, override: "a/z = 3")
    #expect(configuration.integer("a/x") == 1)
    #expect(configuration.integer("a/y") == 2)
    #expect(configuration.integer("a/z") == 3)
    #expect(configuration.string("b/c") == "word")
    #expect(configuration.value("b/d") == nil)
  }

  @Test func aMissingFileSetsNothing() throws {
    let folder = try TemporaryFolder()
    #expect(try LVMConfiguration(systemDirectory: folder.path).value("a") == nil)
  }

  @Test func aFileThatIsNotUnderstoodIsAnError() throws {
    let folder = try TemporaryFolder()
    try folder.write("a {", to: "lvm.conf")
    #expect {
      try LVMConfiguration(systemDirectory: folder.path)
    } throws: {
      "\($0)" == "\(folder.path)/lvm.conf: line 1: the section that begins in line 1 is not closed"
    }
  }

  @Test(arguments: [
    ("1", true), ("0", false), ("\"y\"", true), ("\"on\"", true), ("\"no\"", false), ("yes", true),
  ])
  func truthComesInManyWords(text: String, isTrue: Bool) throws {
    let folder = try TemporaryFolder()
    let configuration = try LVMConfiguration(
      systemDirectory: folder.path, override: "backup/archive = \(text)")
    #expect(configuration.boolean("backup/archive") == isTrue)
  }
}
