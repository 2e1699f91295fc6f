import ClusterSimulation

/// A run of one target: the same seed and corpus give the same inputs in the same order.
///
/// First the corpus as it is, then mutations of it. An input whose result is new joins the corpus,
/// so that mutations build on each other.
public struct FuzzRun: Sendable {
  /// Inputs that are remembered beside the corpus; then each new one replaces an older one.
  public static let maximumLearned = 4096

  let target: FuzzTarget
  private let mutator: Mutator
  private var corpus: [[UInt8]]
  private let givenCount: Int
  private var random: SeededGenerator
  private var seen: Set<UInt64> = []
  public private(set) var executionCount = 0

  /// How many different results there were: a rough measure of what was reached.
  public var resultCount: Int { seen.count }

  /// - Parameter corpus: an empty one counts as one empty input.
  public init(_ target: FuzzTarget, corpus: [[UInt8]], seed: UInt64) {
    self.target = target
    self.corpus = corpus.isEmpty ? [[]] : corpus
    givenCount = self.corpus.count
    mutator = Mutator(dictionary: target.dictionary, maximumLength: target.maximumLength)
    random = SeededGenerator(seed: seed)
  }

  /// Runs `count` more inputs; `willRun` sees each before it runs.
  public mutating func execute(
    _ count: Int, willRun: ([UInt8]) -> Void = { _ in }
  ) throws(FuzzFailure) {
    for _ in 0..<count {
      let input = nextInput()
      willRun(input)
      executionCount += 1
      learn(input, result: try target.run(input))
    }
  }

  private mutating func nextInput() -> [UInt8] {
    if executionCount < givenCount {
      return Array(corpus[executionCount].prefix(target.maximumLength))
    }
    var input = corpus[random.index(below: corpus.count)]
    let partner = corpus[random.index(below: corpus.count)]
    mutator.mutate(&input, partner: partner, using: &random)
    return input
  }

  private mutating func learn(_ input: [UInt8], result: UInt64) {
    guard seen.insert(result).inserted, executionCount > givenCount else { return }
    if corpus.count - givenCount < Self.maximumLearned {
      corpus.append(input)
    } else {
      corpus[givenCount + random.index(below: Self.maximumLearned)] = input
    }
  }
}
