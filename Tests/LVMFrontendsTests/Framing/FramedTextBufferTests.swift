import Testing

@testable import LVMFrontends

@Suite struct FramedTextBufferTests {
  private func messages(_ runs: [String]) throws -> [String] {
    var buffer = FramedTextBuffer()
    var messages: [String] = []
    for run in runs {
      try buffer.append(Array(run.utf8))
      while let message = buffer.nextMessage() {
        messages.append(String(decoding: message, as: UTF8.self))
      }
    }
    return messages
  }

  @Test func messageMayComeInAnyPieces() throws {
    let text = "request=\"hello\"\n\n##\nrequest=\"quit\"\n\n##\n"
    let expected = ["request=\"hello\"\n", "request=\"quit\"\n"]
    #expect(try messages([text]) == expected)
    #expect(try messages(text.map(String.init)) == expected)
    for cut in 0..<text.count {
      #expect(try messages([String(text.prefix(cut)), String(text.dropFirst(cut))]) == expected)
    }
  }

  @Test func commentThatLooksLikeATerminatorIsNone() throws {
    #expect(try messages(["a=1 ##\nb=2\n ##\n\n##\n"]) == ["a=1 ##\nb=2\n ##\n"])
  }

  @Test func endlessMessageIsRefusedAtTheLimit() throws {
    var buffer = FramedTextBuffer(limit: 100)
    try buffer.append(Array(repeating: UInt8(ascii: "a"), count: 100))
    #expect(buffer.nextMessage() == nil)
    #expect(throws: FramedTextError.tooLong(limit: 100)) {
      try buffer.append([UInt8(ascii: "a")])
    }
  }
}
