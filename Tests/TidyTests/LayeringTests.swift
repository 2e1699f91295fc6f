import Testing

/// The modules that decide and do nothing: they may import each other and nothing else.
private let coreModules: Set<String> = [
  "ByteCoding", "ClusterImport", "ClusterMembership", "ClusterTypes", "ConfigText",
  "KeeperProtocol", "LVMMetadata",
  "LockManager", "LockProtocol", "LockspaceGroups", "PosixLocks", "VolumeActivation",
  "VolumeCoordination", "VolumeJobs",
]

@Suite struct LayeringTests {
  @Test(arguments: coreModules.sorted())
  func `a core module depends on core modules only`(module: String) throws {
    let dependencies = try #require(try declaredDependencies()[module])
    #expect(dependencies.subtracting(coreModules).isEmpty)
  }

  @Test(arguments: coreModules.sorted())
  func `a core module imports only what the manifest declares`(module: String) throws {
    let allowed = try #require(try declaredDependencies()[module])
    let files = try Repository.textFiles(under: "Sources/\(module)", withSuffix: ".swift")
    #expect(!files.isEmpty)
    for file in files {
      for (number, imported) in imports(in: file) {
        #expect(allowed.contains(imported), "\(file):\(number) imports \(imported)")
      }
    }
  }

  /// Foundation brings thirty megabytes and a second way to do everything.
  @Test func `no source file imports all of Foundation`() throws {
    for file in try Repository.textFiles(under: "Sources", withSuffix: ".swift") {
      for (number, imported) in imports(in: file) {
        #expect(imported != "Foundation", "\(file):\(number)")
      }
    }
  }

  @Test func `an import is found whatever stands before it`() {
    let file = Repository.TextFile(
      path: "example",
      text: """
        import Plain
        @preconcurrency import Attributed
        public import Public
        @_exported @testable internal import Several
        import struct Module.Type
          import Indented
        // import Comment
        let importance = 1
        """)
    #expect(
      imports(in: file).map(\.module) == [
        "Plain", "Attributed", "Public", "Several", "Module", "Indented",
      ])
  }

  @Test func `the manifest's dependencies are read`() throws {
    let dependencies = try declaredDependencies()
    #expect(dependencies["ByteCoding"] == [])
    #expect(dependencies["LockManager"] == ["LockProtocol", "ClusterTypes"])
  }
}

/// Module names after `import`, each with its line number.
private func imports(in file: Repository.TextFile) -> [(line: Int, module: String)] {
  let statement =
    /^\s*(?:@\w+\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
  return file.lines.enumerated().compactMap { index, line in
    line.firstMatch(of: statement).map { (index + 1, String($0.1)) }
  }
}

/// What `Package.swift` declares with `module(name, [dependencies])`.
private func declaredDependencies() throws -> [String: Set<String>] {
  let manifest = try #require(try Repository.textFile("Package.swift"))
  let declaration = /\bmodule\(\s*"(?<name>\w+)"\s*(?:,\s*\[(?<list>[^\]]*)\])?/
  return Dictionary(
    uniqueKeysWithValues: manifest.text.matches(of: declaration).map { match in
      let list = match.list ?? ""
      return (String(match.name), Set(list.matches(of: /"(\w+)"/).map { String($0.1) }))
    })
}
