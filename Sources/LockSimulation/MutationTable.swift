import ClusterSimulation

/// Which mutations are caught, after how many seeds, and by what.
public struct MutationTable: Sendable, CustomStringConvertible {
  public struct Row: Sendable {
    public let mutation: LockMutation
    /// Seeds that were run, the last of which caught it.
    public let seedCount: Int
    public let violation: Violation?
  }

  public let rows: [Row]

  /// Runs seeds from `firstSeed` on until one catches the mutation, at most `limit` for each.
  public init(_ mutations: [LockMutation], from firstSeed: UInt64, limit: Int) {
    rows = mutations.concurrentMap { mutation in
      for count in 0..<limit {
        var simulation = LockSimulation(
          LockScenario(seed: firstSeed &+ UInt64(count)), mutation: mutation)
        simulation.run()
        if let violation = simulation.violation {
          return Row(mutation: mutation, seedCount: count + 1, violation: violation)
        }
      }
      return Row(mutation: mutation, seedCount: limit, violation: nil)
    }
  }

  public var areAllCaught: Bool { rows.allSatisfy { $0.violation != nil } }

  public var description: String {
    let width = LockMutation.allCases.map(\.rawValue.count).max() ?? 0
    var lines = ["mutation".padded(to: width) + "  seeds  caught by"]
    for row in rows {
      let count = "\(row.seedCount)"
      lines.append(
        row.mutation.rawValue.padded(to: width) + "  "
          + String(repeating: " ", count: max(0, 5 - count.count)) + count + "  "
          + (row.violation?.invariant.rawValue ?? "NOTHING"))
    }
    return lines.joined(separator: "\n")
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
