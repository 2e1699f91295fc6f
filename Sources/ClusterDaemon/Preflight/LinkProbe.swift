import AdminProtocol
import ClusterTypes
import Glibc

/// Tries whether one address reaches the control port of another, by a TCP connection that says
/// nothing.
struct LinkProbe {
  /// All probes together take no longer.
  static let timeoutMilliseconds: Int32 = 1_500

  var node: NodeID
  var from: String
  var to: String
  var port: UInt16

  /// Tries all at once.
  static func run(_ probes: [LinkProbe]) -> [NodeFacts.Link] {
    var results = [String?](repeating: "no answer within 1.5 s", count: probes.count)
    var waiting: [(index: Int, descriptor: Int32)] = []
    for (index, probe) in probes.enumerated() {
      switch probe.begin() {
      case .success(let descriptor): waiting.append((index, descriptor))
      case .failure(let error): results[index] = error.description
      }
    }
    let deadline = monotonicMilliseconds() + Int64(timeoutMilliseconds)
    while !waiting.isEmpty {
      let left = deadline - monotonicMilliseconds()
      guard left > 0 else { break }
      var polls = waiting.map {
        pollfd(fd: $0.descriptor, events: Int16(POLLOUT), revents: 0)
      }
      guard poll(&polls, nfds_t(polls.count), Int32(left)) > 0 || errno == EINTR else { break }
      var unfinished: [(index: Int, descriptor: Int32)] = []
      for (entry, result) in zip(waiting, polls) {
        guard result.revents != 0 else {
          unfinished.append(entry)
          continue
        }
        results[entry.index] = outcome(of: entry.descriptor)
        close(entry.descriptor)
      }
      waiting = unfinished
    }
    for entry in waiting { close(entry.descriptor) }
    return zip(probes, results).map { probe, failure in
      NodeFacts.Link(node: probe.node, from: probe.from, to: probe.to, failure: failure)
    }
  }

  /// Nil when connected.
  private static func outcome(of descriptor: Int32) -> String? {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else {
      return String(cString: strerror(errno))
    }
    return code == 0 ? nil : String(cString: strerror(code))
  }

  private func begin() -> Result<Int32, DaemonError> {
    do throws(DaemonError) {
      let source = try SocketName(from, port: 0)
      let target = try SocketName(to, port: port)
      let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
      let descriptor = socket(source.family, type, 0)
      guard descriptor >= 0 else { throw DaemonError(String(cString: strerror(errno))) }
      guard source.with({ bind(descriptor, $0, $1) }) == 0 else {
        let reason = String(cString: strerror(errno))
        close(descriptor)
        throw DaemonError("\(from) cannot be used: \(reason)")
      }
      guard target.with({ connect(descriptor, $0, $1) }) == 0 || errno == EINPROGRESS else {
        let reason = String(cString: strerror(errno))
        close(descriptor)
        throw DaemonError(reason)
      }
      return .success(descriptor)
    } catch {
      return .failure(error)
    }
  }

  private static func monotonicMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}

/// A numeric address and a port for the socket calls.
private struct SocketName {
  let family: Int32
  private let bytes: [UInt8]

  init(_ address: String, port: UInt16) throws(DaemonError) {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(address, "\(port)", &hints, &found) == 0, let entry = found?.pointee,
      let name = entry.ai_addr
    else { throw DaemonError("'\(address)' is no numeric address") }
    defer { freeaddrinfo(found) }
    family = entry.ai_family
    bytes = Array(UnsafeRawBufferPointer(start: name, count: Int(entry.ai_addrlen)))
  }

  func with(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    bytes.withUnsafeBytes { buffer in
      guard let name = buffer.assumingMemoryBound(to: sockaddr.self).baseAddress else { return -1 }
      return body(name, socklen_t(buffer.count))
    }
  }
}

/// The addresses of this machine's interfaces.
enum HostInterfaces {
  /// Numeric, without scopes; of interfaces that are up.
  static func addresses() -> [String] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var addresses: [String] = []
    var next = list
    while let entry = next?.pointee {
      next = entry.ifa_next
      guard let name = entry.ifa_addr, entry.ifa_flags & UInt32(IFF_UP) != 0 else {
        continue
      }
      let length: Int
      switch Int32(name.pointee.sa_family) {
      case AF_INET: length = MemoryLayout<sockaddr_in>.size
      case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
      default: continue
      }
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      guard
        getnameinfo(
          name, socklen_t(length), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
      else { continue }
      let address = String(
        decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      addresses.append(String(address.prefix { $0 != "%" }))
    }
    return addresses
  }
}
