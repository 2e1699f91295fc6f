import BlockDevices
import Logging
import Synchronization
import Testing

@testable import ClusterDaemon

@Suite struct CurrentDeviceSelectionTests {
  private struct Unreadable: Error {}

  /// What the next reading finds; nil when it fails.
  private final class File: Sendable {
    let number = Mutex<Int?>(0)
    func read() throws -> DeviceSelection {
      guard let count = number.withLock({ $0 }) else { throw Unreadable() }
      return DeviceSelection(filter: try DeviceFilter(patterns: ["r|\(count)|"]))
    }
  }

  private func shown(_ selection: DeviceSelection) -> String { "\(selection)" }

  @Test func itIsReadForEachLook() throws {
    let file = File()
    let selection = try CurrentDeviceSelection(logger: Logger(label: "test")) { try file.read() }
    let first = shown(selection.current())
    file.number.withLock { $0 = 1 }
    #expect(shown(selection.current()) == shown(try file.read()))
    #expect(shown(selection.current()) != first)
  }

  @Test func anUnreadableOneLeavesTheLastInForce() throws {
    let file = File()
    let selection = try CurrentDeviceSelection(logger: Logger(label: "test")) { try file.read() }
    let first = shown(selection.current())
    file.number.withLock { $0 = nil }
    #expect(shown(selection.current()) == first)
    file.number.withLock { $0 = 2 }
    #expect(shown(selection.current()) == shown(try file.read()))
  }

  @Test func aDaemonDoesNotStartWithoutOne() {
    let file = File()
    file.number.withLock { $0 = nil }
    #expect(throws: Unreadable.self) {
      try CurrentDeviceSelection(logger: Logger(label: "test")) { try file.read() }
    }
  }
}
