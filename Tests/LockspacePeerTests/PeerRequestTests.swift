import ClusterSimulation
import LockProtocol
import Testing

@testable import LockspacePeer

struct PeerRequestTests {
  private func request(_ text: String) -> PeerRequest { PeerRequest(line: Array(text.utf8)) }

  @Test(
    "What is not a request is an error, with the id if there is one",
    arguments: [
      ("", nil), ("{", nil), ("[]", nil), ("null", nil), ("\"op\"", nil), ("{}", nil),
      ("\u{0}", nil), (#"{"id":{},"op":"stop"}"#, nil), (#"{"id":1.5,"op":"stop"}"#, nil),
      (#"{"id":3}"#, 3), (#"{"id":3,"op":7}"#, 3), (#"{"id":3,"op":"fly"}"#, 3),
      (#"{"id":3,"op":"lock"}"#, 3), (#"{"id":3,"op":"lock","resource":"","mode":"EX"}"#, 3),
      (#"{"id":3,"op":"lock","resource":"r","mode":"ex"}"#, 3),
      (#"{"id":3,"op":"lock","resource":"r","mode":"IV"}"#, 3),
      (#"{"id":3,"op":"lock","resource":"r","mode":"EX","flags":["LKF_NOQUEUE"]}"#, 3),
      (#"{"id":3,"op":"lock","resource":"r","mode":"EX","flags":"NOQUEUE"}"#, 3),
      (#"{"id":3,"op":"lock","resource":"r","mode":"EX","lvb":"0"}"#, 3),
      (#"{"id":3,"op":"lock","resource":"r","mode":"EX","lvb":"0g"}"#, 3),
      (#"{"id":3,"op":"convert","mode":"EX"}"#, 3), (#"{"id":3,"op":"unlock","lkid":-1}"#, 3),
      (#"{"id":3,"op":"start","members":["1"]}"#, 3), (#"{"id":3,"op":"start"}"#, 3),
      (#"{"id":3,"op":"start","members":[99999999999]}"#, 3),
      (#"{"id":3,"op":"start","members":[-1]}"#, 3),
      (#"{"id":3,"op":"start","members":[1],"weights":{"1":-1}}"#, 3),
    ] as [(String, Int64?)])
  func wrong(text: String, id: Int64?) {
    let request = request(text)
    #expect(request.id == id.map(RequestID.number))
    guard case .failure(let error) = request.operation else {
      Issue.record("accepted")
      return
    }
    #expect(!error.text.isEmpty)
  }

  @Test("Damaged requests are answered, never fatal", arguments: [1, 2, 3])
  func hostile(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let whole = Array(#"{"id":3,"op":"lock","resource":"r","mode":"EX","flags":["VALBLK"]}"#.utf8)
    for _ in 0..<1000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
          in: 0...255, using: &random)
      }
      _ = PeerRequest(line: bytes)
      _ = PeerRequest(line: bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
    }
    _ = PeerRequest(line: Array(repeating: UInt8(ascii: "["), count: 100_000))
  }

  @Test("All flags of linux/dlmconstants.h have their names")
  func flags() {
    let names = [
      "NOQUEUE", "CANCEL", "CONVERT", "VALBLK", "QUECVT", "IVVALBLK", "CONVDEADLK", "PERSISTENT",
      "NODLCKWT", "NODLCKBLK", "EXPEDITE", "NOQUEUEBAST", "HEADQUE", "NOORDER", "ORPHAN", "ALTPR",
      "ALTCW", "FORCEUNLOCK", "TIMEOUT",
    ]
    for (bit, name) in names.enumerated() {
      #expect(LockFlags(name: name)?.rawValue == 1 << bit, "\(name)")
    }
    #expect(LockFlags(rawValue: 0x7FFFF).names == names)
    #expect(LockFlags(name: "SOMETHING") == nil)
  }

  @Test("Lines are cut whatever the pieces are, and too long ones are skipped")
  func lines() {
    var splitter = LineSplitter()
    #expect(splitter.append(Array("a".utf8)) == [])
    #expect(splitter.append(Array("b\nc\n\nd".utf8)).count == 3)
    #expect(splitter.append(Array("\n".utf8)) == [.line(Array("d".utf8))])
    let piece = Array(repeating: UInt8(ascii: "x"), count: LineSplitter.limit)
    #expect(splitter.append(piece) == [])
    #expect(splitter.append(piece) == [])
    #expect(splitter.append(Array("\nok\nend".utf8)) == [.overlong, .line(Array("ok".utf8))])
    #expect(splitter.finish() == .line(Array("end".utf8)))
    #expect(splitter.finish() == nil)
  }
}
