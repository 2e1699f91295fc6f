import ClusterSimulation

/// Which deliberate defects are caught, after how many runs, and by what.
public struct VolumeMutationTable: Sendable, CustomStringConvertible {
  public struct Row: Sendable {
    public let mutation: VolumeMutation
    public let runCount: Int
    public let violation: VolumeViolation?
  }

  public let rows: [Row]

  /// At most `limit` runs for each.
  public init(_ mutations: [VolumeMutation], limit: Int) {
    let faults = FaultChoice()
    rows = mutations.concurrentMap { Self.firstCatch(of: $0, limit: limit, faults) }
  }

  public var areAllCaught: Bool { rows.allSatisfy { $0.violation != nil } }

  /// Runs with the defect, first without faults and then with one or two, until one is caught.
  private static func firstCatch(
    of mutation: VolumeMutation, limit: Int, _ faults: FaultChoice
  ) -> Row {
    var random = SeededGenerator(seed: 7)
    for count in 1...limit {
      let operations = VolumeOperation.allCases
      let operation = operations[count % operations.count]
      var run = VolumeRun(operation, seed: UInt64(count), mutation: mutation)
      if count > operations.count {
        run.faults = (0..<Int.random(in: 1...2, using: &random)).compactMap { _ in
          faults.draw(for: run, using: &random)
        }
      }
      let world = VolumeWorld(run)
      world.run()
      if let violation = world.violation {
        return Row(mutation: mutation, runCount: count, violation: violation)
      }
    }
    return Row(mutation: mutation, runCount: limit, violation: nil)
  }

  public var description: String {
    let width = VolumeMutation.allCases.map(\.rawValue.count).max() ?? 0
    func padded(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(0, width - text.count))
    }
    return
      (["\(padded("defect", width))  runs   caught by"]
      + rows.map { row in
        "\(padded(row.mutation.rawValue, width))  \(padded("\(row.runCount)", 5))  "
          + (row.violation?.invariant.rawValue ?? "NOTHING")
      }).joined(separator: "\n")
  }
}

/// Faults at the effects that an operation has.
private struct FaultChoice: Sendable {
  /// By whether there is a record.
  private let all: [Bool: [VolumeOperation: [PlannedFault]]]

  init() {
    var campaign = VolumeCampaign()
    var all: [Bool: [VolumeOperation: [PlannedFault]]] = [:]
    for seed in [UInt64(1), 2] {
      for operation in VolumeOperation.allCases {
        all[VolumeRun(operation, seed: seed).hasRecord, default: [:]][operation] =
          campaign.singles(of: operation, seed: seed)
      }
    }
    self.all = all
  }

  /// Half of them are deaths of the node that asked, which most of what can go wrong begins with.
  func draw(for run: VolumeRun, using random: inout SeededGenerator) -> PlannedFault? {
    let faults = all[run.hasRecord]?[run.operation] ?? []
    guard random.chance(50) else { return faults.randomElement(using: &random) }
    return faults.filter { $0.node == 1 && [.powerCut, .daemonKill].contains($0.fault) }
      .randomElement(using: &random)
  }
}
