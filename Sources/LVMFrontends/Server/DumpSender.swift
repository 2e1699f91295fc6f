import Glibc
import Logging
import NIOCore

/// Sends a text to the datagram socket on which lvmlockctl waits for it (lvmlockd-socket 14).
final class DumpSender {
  private static let datagramLengthMax = 65_536
  private static let retryDelay: TimeAmount = .milliseconds(10)
  /// lvmlockctl that does not read for half a second is gone.
  private static let retryCountMax = 50

  private let eventLoop: any EventLoop
  private let name: String
  private let logger: Logger

  init(eventLoop: any EventLoop, abstractName: String, logger: Logger) {
    self.eventLoop = eventLoop
    self.name = abstractName
    self.logger = logger
  }

  func send(_ text: [UInt8]) {
    let descriptor = socket(
      AF_UNIX,
      Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0, let address = UnixSocketAddress(abstractName: name) else {
      return warn("no socket", errno)
    }
    send(text[...], descriptor, address, retryCount: 0)
  }

  private func send(
    _ text: ArraySlice<UInt8>, _ descriptor: Int32, _ address: UnixSocketAddress, retryCount: Int
  ) {
    var rest = text
    while !rest.isEmpty {
      let datagram = rest.prefix(Self.datagramLengthMax)
      let count = datagram.withUnsafeBytes { bytes in
        address.withPointer {
          sendto(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL), $0, $1)
        }
      }
      if count == datagram.count {
        rest = rest.dropFirst(count)
        continue
      }
      let reason = errno
      guard reason == EAGAIN || reason == ENOBUFS, retryCount < Self.retryCountMax else {
        Glibc.close(descriptor)
        return warn("lvmlockctl does not listen", reason)
      }
      let sender = NIOLoopBound(self, eventLoop: eventLoop)
      let remaining = rest
      eventLoop.scheduleTask(in: Self.retryDelay) {
        sender.value.send(remaining, descriptor, address, retryCount: retryCount + 1)
      }
      return
    }
    Glibc.close(descriptor)
  }

  private func warn(_ text: String, _ number: Int32) {
    logger.warning(
      "a dump was not sent",
      metadata: ["reason": "\(text): \(String(cString: strerror(number)))"])
  }
}
