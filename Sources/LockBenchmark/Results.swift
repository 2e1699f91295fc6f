/// What is measured, in the order of a round.
enum Measurement: String, CaseIterable {
  case echo
  case lockRemote = "lock_remote"
  case unlockRemote = "unlock_remote"
  case lockNew = "lock_new"
  case convertUp = "convert_up"
  case convertDown = "convert_down"
  case handOver = "hand_over"
  case lockLocal = "lock_local"
  case echoInFlight = "echo_in_flight"
  case messagesInFlight = "messages_in_flight"
  case remoteInFlight = "remote_in_flight"
  case localInFlight = "local_in_flight"

  var title: String {
    switch self {
    case .echo: "TCP echo"
    case .lockRemote: "lock, mastered by the peer"
    case .unlockRemote: "unlock, mastered by the peer"
    case .lockNew: "lock of a new name, directory at the peer"
    case .convertUp: "conversion NL to EX, mastered by the peer"
    case .convertDown: "conversion EX to NL, mastered by the peer"
    case .handOver: "EX from one node to the other, both want it"
    case .lockLocal: "lock, mastered here"
    case .echoInFlight: "TCP echo of bytes, whole reads at once"
    case .messagesInFlight: "TCP echo, message by message"
    case .remoteInFlight: "lock or unlock, mastered by the peer"
    case .localInFlight: "lock or unlock, mastered here"
    }
  }

  /// Many at a time: what counts is the time per operation, not how long one takes.
  var isConcurrent: Bool {
    switch self {
    case .echoInFlight, .messagesInFlight, .remoteInFlight, .localInFlight: true
    case .echo, .lockRemote, .unlockRemote, .lockNew, .convertUp, .convertDown, .handOver,
      .lockLocal:
      false
    }
  }
}

/// Times per operation of all rounds.
struct Results {
  let inFlight: Int
  private var times: [Measurement: [Duration]] = [:]
  private var processorTimes: [Measurement: [Duration]] = [:]

  init(inFlight: Int) { self.inFlight = inFlight }

  /// - Parameter processor: what all threads of this process used for it, the measuring included.
  mutating func add(_ time: Duration, processor: Duration, to measurement: Measurement) {
    times[measurement, default: []].append(time)
    processorTimes[measurement, default: []].append(processor)
  }

  private var measured: [Measurement] { Measurement.allCases.filter { times[$0] != nil } }

  private func microseconds(_ measurement: Measurement) -> Double {
    Self.median(times[measurement] ?? []) / .microseconds(1)
  }

  private func processorMicroseconds(_ measurement: Measurement) -> Double {
    Self.median(processorTimes[measurement] ?? []) / .microseconds(1)
  }

  /// Against the echo of the same round, with as many in flight; the median of all rounds.
  private func ratio(_ measurement: Measurement, to yardstick: Measurement) -> Double {
    let echo = times[yardstick] ?? []
    let ratios = zip(times[measurement] ?? [], echo).map { $0 / $1 }.sorted()
    return ratios.isEmpty ? 0 : ratios[ratios.count / 2]
  }

  static func median(_ times: [Duration]) -> Duration {
    times.isEmpty ? .zero : times.sorted()[times.count / 2]
  }

  func table() -> String {
    var lines = [
      Self.row("operation", "in flight", "us each", "x echo", "x messages", "us of CPU")
    ]
    for measurement in measured {
      let isConcurrent = measurement.isConcurrent
      lines.append(
        Self.row(
          measurement.title, "\(isConcurrent ? inFlight : 1)",
          Self.text(microseconds(measurement)),
          Self.text(ratio(measurement, to: isConcurrent ? .echoInFlight : .echo)),
          isConcurrent ? Self.text(ratio(measurement, to: .messagesInFlight)) : "",
          Self.text(processorMicroseconds(measurement))))
    }
    return lines.joined(separator: "\n")
  }

  var json: [(name: String, value: String)] {
    measured.map { measurement in
      let value =
        "{ \"in_flight\": \(measurement.isConcurrent ? inFlight : 1), "
        + "\"microseconds\": \(Self.text(microseconds(measurement))), "
        + "\"echoes\": "
        + Self.text(ratio(measurement, to: measurement.isConcurrent ? .echoInFlight : .echo))
        + ", \"processor_microseconds\": \(Self.text(processorMicroseconds(measurement))) }"
      return (measurement.rawValue, value)
    }
  }

  static func row(_ title: String, _ columns: String...) -> String {
    pad(title, 46, onLeft: false) + columns.map { pad($0, 11, onLeft: true) }.joined()
  }

  private static func pad(_ text: String, _ width: Int, onLeft: Bool) -> String {
    let padding = String(repeating: " ", count: max(0, width - text.count))
    return onLeft ? padding + text : text + padding
  }

  static func text(_ number: Double) -> String {
    let hundredths = Int((number * 100).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }
}
