import Glibc
import Testing

@testable import ClusterDaemon

/// Runs `body` with a directory that holds an lvm.conf with `text`; none when nil.
private func withSystemDirectory(_ text: String?, _ body: (String) throws -> Void) throws {
  var template = Array("/tmp/clvmd-lvm-XXXXXX".utf8CString)
  let directory = String(cString: try #require(mkdtemp(&template)))
  let file = directory + "/lvm.conf"
  defer {
    unlink(file)
    rmdir(directory)
  }
  if let text {
    let descriptor = open(file, O_WRONLY | O_CREAT, 0o600)
    try #require(write(descriptor, text, text.utf8.count) == text.utf8.count)
    close(descriptor)
  }
  try body(directory)
}

@Test func filters_areTakenFromLvmConf() throws {
  try withSystemDirectory(
    "devices { filter = [ \"a|/dev/sd.*|\", \"r|.*|\" ] global_filter = \"a|.*|\" }"
  ) {
    let filters = try LVMDeviceFilters(systemDirectory: $0)
    #expect(filters.filter == ["a|/dev/sd.*|", "r|.*|"])
    #expect(filters.globalFilter == ["a|.*|"])
  }
}

@Test func missingLvmConf_meansNoFilter() throws {
  try withSystemDirectory(nil) {
    let filters = try LVMDeviceFilters(systemDirectory: $0)
    #expect(filters.filter == nil)
    #expect(filters.globalFilter == nil)
  }
}

@Test func brokenLvmConf_isAProblemThatNamesFileAndLine() throws {
  try withSystemDirectory("devices {\nfilter = \n}\n") { directory in
    let problem = #expect(throws: ConfigurationProblem.self) {
      try LVMDeviceFilters(systemDirectory: directory)
    }
    #expect(problem?.place == directory + "/lvm.conf")
    #expect(problem?.message.contains("line 3") == true)
  }
}

@Test func filterThatIsNoListOfTexts_isAProblemAndNotNoFilter() throws {
  try withSystemDirectory("devices { filter = [ 1 ] }") { directory in
    #expect(throws: ConfigurationProblem.self) { try LVMDeviceFilters(systemDirectory: directory) }
  }
}
