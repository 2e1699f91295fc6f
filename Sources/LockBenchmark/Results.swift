/// What is measured, in the order of a round.
enum Measurement: String, CaseIterable {
  enum Kind {
    case echo
    case localLock
    case remoteLock
  }

  case echo
  case localLock = "local_lock"
  case remoteLock = "remote_lock"
  case concurrentEcho = "echo_in_flight"
  case concurrentLocalLock = "local_lock_in_flight"
  case concurrentRemoteLock = "remote_lock_in_flight"

  var kind: Kind {
    switch self {
    case .echo, .concurrentEcho: .echo
    case .localLock, .concurrentLocalLock: .localLock
    case .remoteLock, .concurrentRemoteLock: .remoteLock
    }
  }

  var isConcurrent: Bool {
    switch self {
    case .echo, .localLock, .remoteLock: false
    case .concurrentEcho, .concurrentLocalLock, .concurrentRemoteLock: true
    }
  }

  var title: String {
    switch kind {
    case .echo: "TCP echo"
    case .localLock: "lock + unlock, mastered here"
    case .remoteLock: "lock + unlock, mastered on the other node"
    }
  }
}

/// Times per operation of all rounds.
struct Results {
  let inFlight: Int
  private var times: [Measurement: [Duration]] = [:]

  init(inFlight: Int) { self.inFlight = inFlight }

  mutating func add(_ time: Duration, to measurement: Measurement) {
    times[measurement, default: []].append(time)
  }

  private func microseconds(_ measurement: Measurement) -> Double {
    let sorted = (times[measurement] ?? []).sorted()
    guard !sorted.isEmpty else { return 0 }
    return sorted[sorted.count / 2] / .microseconds(1)
  }

  /// Against the echo of the same round, with as many in flight; the median of all rounds.
  private func ratio(_ measurement: Measurement) -> Double {
    let echo = times[measurement.isConcurrent ? .concurrentEcho : .echo] ?? []
    let ratios = zip(times[measurement] ?? [], echo).map { $0 / $1 }.sorted()
    return ratios.isEmpty ? 0 : ratios[ratios.count / 2]
  }

  func table(isPinned: Bool) -> String {
    var lines = [row("operation", "in flight", "us each", "x echo")]
    for measurement in Measurement.allCases {
      lines.append(
        row(
          measurement.title, "\(measurement.isConcurrent ? inFlight : 1)",
          text(microseconds(measurement)), text(ratio(measurement))))
    }
    lines.append("threads \(isPinned ? "are" : "could not be") bound to one processor each")
    return lines.joined(separator: "\n")
  }

  func json(isPinned: Bool) -> String {
    let entries = Measurement.allCases.map { measurement in
      """
        "\(measurement.rawValue)": { "in_flight": \(measurement.isConcurrent ? inFlight : 1), \
      "microseconds": \(text(microseconds(measurement))), "echoes": \(text(ratio(measurement))) }
      """
    }
    return "{\n  \"pinned\": \(isPinned),\n" + entries.joined(separator: ",\n") + "\n}"
  }

  private func row(_ title: String, _ columns: String...) -> String {
    pad(title, 44, onLeft: false) + columns.map { pad($0, 11, onLeft: true) }.joined()
  }

  private func pad(_ text: String, _ width: Int, onLeft: Bool) -> String {
    let padding = String(repeating: " ", count: max(0, width - text.count))
    return onLeft ? padding + text : text + padding
  }

  private func text(_ number: Double) -> String {
    let hundredths = Int((number * 100).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }
}
