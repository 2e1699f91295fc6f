import CLinux
import Glibc
import KeeperProtocol

/// An open watchdog device. Closing it without `disarm` leaves it armed: that is what it is for.
public struct WatchdogDevice {
  public let descriptor: Int32
  public private(set) var facts: WatchdogFacts

  /// Opening arms the device at its own timeout; `setTimeout` comes right after.
  public init(path: String, timeoutMilliseconds: UInt32) throws(KeeperFailure) {
    descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw KeeperFailure(
        "the watchdog \(path) cannot be opened: \(Self.reason(errno, path))")
    }
    var name = [CChar](repeating: 0, count: 33)
    guard clinux_watchdog_identity(descriptor, &name) == 0 else {
      let reason = errno
      // Whatever it is, it was not armed by being opened.
      close(descriptor)
      throw KeeperFailure(
        "\(path) is no watchdog device: \(String(cString: strerror(reason)))")
    }
    facts = WatchdogFacts(
      device: path,
      identity: String(
        decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self),
      timeoutMilliseconds: 0)
    do throws(KeeperFailure) {
      try setTimeout(milliseconds: timeoutMilliseconds)
    } catch {
      disarm()
      throw error
    }
  }

  /// Devices count in seconds: `milliseconds` is rounded up, and a device may make it longer still;
  /// `facts` says what it became.
  public mutating func setTimeout(milliseconds: UInt32) throws(KeeperFailure) {
    var seconds = Int32(clamping: (UInt64(milliseconds) + 999) / 1000)
    guard clinux_watchdog_set_timeout(descriptor, &seconds) == 0, seconds > 0 else {
      throw KeeperFailure(
        "the watchdog \(facts.device) (\(facts.identity)) does not take a timeout of "
          + "\(milliseconds) ms: \(String(cString: strerror(errno)))")
    }
    facts.timeoutMilliseconds = UInt32(clamping: Int64(seconds) * 1000)
  }

  /// Stops the countdown, with the character that says that this is meant.
  public func disarm() {
    _ = write(descriptor, "V", 1)
    close(descriptor)
  }

  private static func reason(_ number: Int32, _ path: String) -> String {
    let text = String(cString: strerror(number))
    switch number {
    case EBUSY:
      return "\(text); another program, such as systemd (RuntimeWatchdogSec) or sbd, has it"
    case ENOENT: return "\(text); load its driver, or softdog where there is no hardware"
    default: return text
    }
  }
}
