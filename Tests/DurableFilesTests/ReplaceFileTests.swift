import Glibc
import Testing

@testable import DurableFiles

@Suite struct ReplaceFileTests {
  @Test func `the new content is there, with its permissions, and no other file`() throws {
    let directory = try makeDirectory()
    let path = directory + "/settings"
    try replaceFile(path, with: Array("old".utf8), permissions: 0o644)
    // A left attempt that everybody may read.
    let left = creat(path + ".new", 0o666)
    close(left)
    try replaceFile(path, with: Array("new".utf8), permissions: 0o600)
    #expect(try content(path) == "new")
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    #expect(access(path + ".new", F_OK) != 0)
    unlink(path)
    rmdir(directory)
  }

  @Test func `an administrator's file keeps its permissions, and a link goes on leading to it`()
    throws
  {
    let directory = try makeDirectory()
    let (path, link) = (directory + "/settings", directory + "/link")
    try replaceFile(path, with: Array("old".utf8), permissions: 0o600)
    #expect(chmod(path, 0o640) == 0 && symlink(path, link) == 0)
    try replaceContent(of: link, with: Array("new".utf8))
    #expect(try content(path) == "new" && content(link) == "new")
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o640)
    #expect(lstat(link, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    for file in [link, path] { unlink(file) }
    rmdir(directory)
  }

  @Test func `a directory that is not there is named with the reason`() {
    let error = #expect(throws: FileReplacementError.self) {
      try replaceFile("/nonexistent/clvmd/file", with: [1], permissions: 0o600)
    }
    #expect(
      error?.description == "cannot create /nonexistent/clvmd/file.new: No such file or directory")
  }

  private func makeDirectory() throws -> String {
    var template = Array("/tmp/clvmd-replace.XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    return String(cString: made)
  }

  private func content(_ path: String) throws -> String {
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &bytes, bytes.count)
    try #require(count >= 0)
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
