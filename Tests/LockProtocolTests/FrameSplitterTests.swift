import ClusterSimulation
import Testing

@testable import LockProtocol

struct FrameSplitterTests {
  @Test func messagesComeOutWholeHoweverTheStreamIsCut() throws {
    let seed: UInt64 = 0x5EED_0001
    var random = SeededGenerator(seed: seed)
    let recording = try #require(try Recording.all().first { $0.name.hasPrefix("08") })
    let sent = recording.messages.map(\.bytes)
    let stream = sent.flatMap { $0 }
    for round in 0..<20 {
      var splitter = FrameSplitter()
      var received: [[UInt8]] = []
      var position = 0
      while position < stream.count {
        let length = min(Int(random.next() % 9000) + 1, stream.count - position)
        splitter.append(stream[position..<(position + length)])
        position += length
        while let frame = try splitter.next() { received.append(Array(frame)) }
        #expect(splitter.pendingByteCount < 4096)
      }
      #expect(received == sent, "seed \(seed), round \(round)")
      #expect(splitter.pendingByteCount == 0)
    }
  }

  @Test(arguments: [0, 15, 4097, 65535])
  func impossibleLengthEndsTheStream(_ length: Int) {
    var splitter = FrameSplitter()
    var header = [UInt8](repeating: 0, count: 16)
    header[12] = UInt8(length & 0xFF)
    header[13] = UInt8(length >> 8)
    splitter.append(header)
    #expect(throws: FrameDecodingError.length(length)) { try splitter.next() }
  }

  @Test func incompleteMessageWaits() throws {
    var splitter = FrameSplitter()
    var message = [UInt8](repeating: 0, count: 20)
    message[12] = 20
    splitter.append(message.prefix(15))
    #expect(try splitter.next() == nil)
    splitter.append(message[15..<19])
    #expect(try splitter.next() == nil)
    splitter.append(message.suffix(1))
    #expect(try splitter.next().map { Array($0) } == message)
    #expect(try splitter.next() == nil)
  }
}
