import KernelLockspaces
import Testing

@Suite struct PosixLockRecordTests {
  private func bytes(flags: UInt8 = 0, version: UInt8 = 1) -> [UInt8] {
    var bytes = (0..<64).map { UInt8($0) }
    bytes.replaceSubrange(0..<4, with: [version, 0, 0, 0])
    bytes[15] = flags
    return bytes
  }

  @Test func onlyTheResultOfAnAnswerDiffersFromTheRequest() throws {
    let request = bytes()
    let answer = try #require(PosixLockRecord(request)).answered(-38)
    #expect(answer[24..<28] == [0xDA, 0xFF, 0xFF, 0xFF])
    #expect(answer[..<24] == request[..<24])
    #expect(answer[28...] == request[28...])
  }

  @Test func theReleaseOfAClosedFileIsNotAnswered() throws {
    #expect(try #require(PosixLockRecord(bytes(flags: 1))).expectsAnswer == false)
    #expect(try #require(PosixLockRecord(bytes())).expectsAnswer)
  }

  @Test func otherSizesAndVersionsAreNotUnderstood() {
    #expect(PosixLockRecord(Array(bytes().dropLast())) == nil)
    #expect(PosixLockRecord(bytes(version: 2)) == nil)
  }
}
