import Glibc
import Testing

@testable import ClusterDaemon

/// A datagram socket in the place of systemd's.
private final class Receiver {
  let descriptor: Int32

  /// `name`: as in NOTIFY_SOCKET.
  init(_ name: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(name.utf8)
    if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    try #require(result == 0, "errno \(errno)")
  }

  deinit { close(descriptor) }

  func receive() -> String? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }
}

private func notifier(_ variables: [String: String]) throws -> SystemdNotifier {
  try SystemdNotifier { variables[$0] }
}

@Test func messages_reachASocketWithAPath() throws {
  var template = Array("/tmp/clvmd-notify-XXXXXX".utf8CString)
  let directory = String(cString: try #require(mkdtemp(&template)))
  let path = directory + "/notify"
  defer {
    unlink(path)
    rmdir(directory)
  }
  let receiver = try Receiver(path)
  let notifier = try notifier(["NOTIFY_SOCKET": path])
  try notifier.send(.ready, .status("2 nodes\nquorate"))
  #expect(receiver.receive() == "READY=1\nSTATUS=2 nodes quorate")
  try notifier.send(.watchdog)
  #expect(receiver.receive() == "WATCHDOG=1")
  try notifier.send(.stopping, .extendTimeout(.seconds(2)))
  #expect(receiver.receive() == "STOPPING=1\nEXTEND_TIMEOUT_USEC=2000000")
}

@Test func messages_reachAnAbstractSocket() throws {
  let name = "@clvmd-notify-test-\(getpid())"
  let receiver = try Receiver(name)
  try notifier(["NOTIFY_SOCKET": name]).send(.ready)
  #expect(receiver.receive() == "READY=1")
}

@Test func withoutSystemd_nothingHappens() throws {
  let notifier = try notifier([:])
  try notifier.send(.ready)
  #expect(notifier.watchdogInterval == nil)
}

@Test(arguments: ["", "relative", "/", "@", "/" + String(repeating: "x", count: 107)])
func unusableSocketName_isRefused(name: String) {
  #expect(throws: SystemdNotifier.NotifyError.unusableSocketName(name)) {
    try notifier(["NOTIFY_SOCKET": name])
  }
}

@Test func socketThatIsGone_isReportedAndNoTrap() throws {
  let notifier = try notifier(["NOTIFY_SOCKET": "/nonexistent/notify"])
  #expect(throws: SystemdNotifier.NotifyError.notSent(errno: ENOENT)) { try notifier.send(.ready) }
}

@Test func watchdogInterval_isForTheProcessThatItNames() throws {
  let own = String(getpid())
  #expect(try notifier(["WATCHDOG_USEC": "30000000"]).watchdogInterval == .seconds(30))
  #expect(
    try notifier(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": own]).watchdogInterval
      == .seconds(30))
  #expect(
    try notifier(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"]).watchdogInterval == nil)
  #expect(try notifier(["WATCHDOG_USEC": "soon"]).watchdogInterval == nil)
}
