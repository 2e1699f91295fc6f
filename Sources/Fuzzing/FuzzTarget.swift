/// Something that takes bytes from strangers, and what must hold whatever they are.
///
/// A target must not trap, must not hang, and must give the same answer for the same bytes.
public struct FuzzTarget: Sendable {
  /// Short, lower case, with hyphens: what `clvm-fuzz --target` takes.
  public let name: String
  /// What is fuzzed and what is checked, in half a line.
  public let summary: String
  /// The folder with the corpus, from the root of the repository.
  public let corpusFolder: String
  /// Longer inputs are cut.
  public let maximumLength: Int
  /// Tokens that the format gives a meaning to.
  public let dictionary: [[UInt8]]
  /// The inputs that a file of the corpus holds; none for a file of another kind.
  public let seeds: @Sendable (_ file: CorpusFile) -> [[UInt8]]
  /// Runs one input. Inputs with a result that was not seen before are kept and mutated further,
  /// so it should tell different paths apart: the kind of error, how far it came.
  public let run: @Sendable (_ input: [UInt8]) throws(FuzzFailure) -> UInt64

  public init(
    name: String, summary: String, corpusFolder: String, maximumLength: Int = 4096,
    dictionary: [[UInt8]] = [],
    seeds: @escaping @Sendable (_ file: CorpusFile) -> [[UInt8]] = { [$0.contents] },
    run: @escaping @Sendable (_ input: [UInt8]) throws(FuzzFailure) -> UInt64
  ) {
    self.name = name
    self.summary = summary
    self.corpusFolder = corpusFolder
    self.maximumLength = maximumLength
    self.dictionary = dictionary
    self.seeds = seeds
    self.run = run
  }
}

/// A file of a corpus folder.
public struct CorpusFile: Sendable {
  public let name: String
  public let contents: [UInt8]

  public init(name: String, contents: [UInt8]) {
    self.name = name
    self.contents = contents
  }
}

/// What must hold does not, for some input.
public struct FuzzFailure: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
