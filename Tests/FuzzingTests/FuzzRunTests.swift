import ClusterSimulation
import FuzzTargets
import Testing

@testable import Fuzzing

struct FuzzRunTests {
  /// Traps where a decoder without checks would: a length field that is believed.
  private static let fragile = FuzzTarget(
    name: "fragile", summary: "fails on a length beyond the end", corpusFolder: ""
  ) { input throws(FuzzFailure) in
    guard input.count >= 4, input[0] == 0x17 else { return UInt64(min(input.count, 4)) }
    let length = Int(input[2]) | Int(input[3]) << 8
    if length > input.count { throw FuzzFailure("length \(length)") }
    return 10
  }

  @Test func theSameSeedGivesTheSameInputs() throws {
    var inputs: [[[UInt8]]] = [[], []]
    for index in 0...1 {
      var run = FuzzRun(.lockFrames, corpus: [[1, 2, 3], Array(0...99)], seed: 5)
      try run.execute(500) { inputs[index].append($0) }
    }
    #expect(inputs[0] == inputs[1])
    #expect(Set(inputs[0]).count > 400)
  }

  @Test func theCorpusRunsFirstAsItIs() throws {
    var inputs: [[UInt8]] = []
    var run = FuzzRun(.lockFrames, corpus: [[9], [8, 8]], seed: 1)
    try run.execute(2) { inputs.append($0) }
    #expect(inputs == [[9], [8, 8]])
  }

  @Test func aTargetThatBelievesALengthIsCaught() {
    var last: [UInt8] = []
    #expect(throws: FuzzFailure.self) {
      var run = FuzzRun(Self.fragile, corpus: [[0x17, 0, 2, 0, 1, 1]], seed: 1)
      try run.execute(100_000) { last = $0 }
    }
    #expect(throws: FuzzFailure.self) { try Self.fragile.run(last) }
  }

  @Test func noInputIsLongerThanItsTargetAllows() throws {
    let target = FuzzTarget(
      name: "short", summary: "", corpusFolder: "", maximumLength: 10, dictionary: [[1, 2, 3]]
    ) { input throws(FuzzFailure) in UInt64(input.count) }
    var longest = 0
    var run = FuzzRun(target, corpus: [Array(repeating: 1, count: 40)], seed: 3)
    try run.execute(5000) { longest = max(longest, $0.count) }
    #expect(longest == 10)
  }

  @Test func targetsHaveNamesOfTheirOwn() {
    #expect(Set(allTargets.map(\.name)).count == allTargets.count)
  }
}
