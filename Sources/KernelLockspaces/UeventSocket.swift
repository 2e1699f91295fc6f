import CLinux
import Glibc

/// The socket on which the kernel announces joins and leaves of lockspaces.
///
/// Open it before this node becomes known to the kernel's DLM, or a mount could slip in whose event
/// nobody hears. After a reading with `isIncomplete`, look for lockspaces with
/// `KernelLockManager.lockspaces()`.
public final class UeventSocket: Sendable {
  /// Non-blocking; for poll(2) and epoll. Owned by this object.
  public let descriptor: Int32

  /// What was there to read.
  public struct Reading: Equatable, Sendable {
    public var events: [KernelUevent] = []
    /// A device of the lock manager came or went: time for `DeviceNodes.synchronize()`.
    public var deviceNodesChanged = false
    /// The kernel dropped events because they were not read in time.
    public var isIncomplete = false

    public init() {}

    /// Adds what one datagram says.
    public mutating func take(datagram: some Collection<UInt8>) {
      let fields = UeventFields(datagram: datagram)
      if let event = KernelUevent(fields) { events.append(event) }
      if fields.concernsDeviceNode { deviceNodesChanged = true }
    }

    /// Events were lost.
    public mutating func markIncomplete() {
      isIncomplete = true
      deviceNodesChanged = true
    }
  }

  /// Thousands of devices that appear at once must not push out the one event that counts.
  private static let receiveBufferBytes: Int32 = 4 << 20
  /// The kernel composes an event in 2 KiB; what is longer is none.
  private static let datagramBytes = 8 << 10
  /// Bounds one reading, so that a storm of foreign events cannot hold the caller.
  private static let datagramsPerReading = 4096

  public init() throws(KernelControlError) {
    descriptor = clinux_uevent_open(Self.receiveBufferBytes)
    guard descriptor >= 0 else { throw .ueventSocket(operation: "open", errno: errno) }
  }

  deinit { close(descriptor) }

  /// The DLM's events that wait on the socket, without blocking; none if none do.
  public func readAvailable() throws(KernelControlError) -> Reading {
    let (datagrams, isIncomplete) = try readDatagrams()
    var reading = Reading()
    for datagram in datagrams { reading.take(datagram: datagram) }
    if isIncomplete { reading.markIncomplete() }
    return reading
  }

  /// The same as they came, for a program that hands them on; only those that say something about
  /// the DLM or its devices.
  ///
  /// ENOBUFS is deliberately left switched on for this socket: it is the kernel's only way to say
  /// that events were lost.
  public func readDatagrams() throws(KernelControlError) -> (
    datagrams: [[UInt8]], isIncomplete: Bool
  ) {
    var datagrams: [[UInt8]] = []
    var isIncomplete = false
    var datagram = [UInt8](repeating: 0, count: Self.datagramBytes)
    for _ in 0..<Self.datagramsPerReading {
      var isFromKernel: Int32 = 0
      let count = clinux_uevent_receive(descriptor, &datagram, datagram.count, &isFromKernel)
      if count < 0 {
        switch errno {
        case EAGAIN: return (datagrams, isIncomplete)
        case EINTR: continue
        case ENOBUFS: isIncomplete = true
        case let reason: throw .ueventSocket(operation: "read", errno: reason)
        }
      } else if isFromKernel == 1, count <= datagram.count {
        let fields = UeventFields(datagram: datagram[..<count])
        if KernelUevent(fields) != nil || fields.concernsDeviceNode {
          datagrams.append(Array(datagram[..<count]))
        }
      }
    }
    return (datagrams, isIncomplete)
  }

  /// Waits until something can be read; false when `timeoutMilliseconds` passed (negative: no
  /// limit) or a signal came first. For a thread of its own.
  public func waitUntilReadable(timeoutMilliseconds: Int32) throws(KernelControlError) -> Bool {
    var request = pollfd(descriptor: descriptor)
    let ready = poll(&request, 1, timeoutMilliseconds)
    guard ready >= 0 || errno == EINTR else { throw .ueventSocket(operation: "poll", errno: errno) }
    return ready > 0
  }
}

extension pollfd {
  fileprivate init(descriptor: Int32) {
    self.init(fd: descriptor, events: Int16(POLLIN), revents: 0)
  }
}
