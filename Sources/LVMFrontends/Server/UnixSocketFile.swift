import Glibc

/// Why a server could not take its place in the file system.
public enum SocketFileError: Error, Equatable, Sendable, CustomStringConvertible {
  case pathTooLong(String)
  /// Something that is not a socket has the path.
  case notASocket(String)
  /// Another process listens there.
  case inUse(String)
  /// Another daemon holds the pid file.
  case daemonRunning(pidFile: String, processID: Int32)
  case failed(String, path: String, errno: Int32)

  public var description: String {
    switch self {
    case .pathTooLong(let path): "\(path): too long for the path of a unix socket"
    case .notASocket(let path): "\(path) exists and is not a socket; remove it"
    case .inUse(let path): "another process listens on \(path); stop it first"
    case .daemonRunning(let path, let process):
      "process \(process) holds \(path); stop that lvmlockd first"
    case .failed(let what, let path, let number):
      "\(path): \(what): \(String(cString: strerror(number)))"
    }
  }
}

/// The address of a unix socket in a form that the system calls take.
public struct UnixSocketAddress: Sendable {
  private var storage = sockaddr_un()
  private let length: socklen_t

  /// Nil when `path` is empty, too long or holds a NUL.
  public init?(path: String) { self.init(name: Array(path.utf8), isAbstract: false) }

  /// A name outside the file system.
  init?(abstractName: String) { self.init(name: Array(abstractName.utf8), isAbstract: true) }

  private init?(name: [UInt8], isAbstract: Bool) {
    let capacity = MemoryLayout.size(ofValue: storage.sun_path)
    let offset = MemoryLayout<sa_family_t>.size
    // A path has a NUL behind it, an abstract name one before it and none behind.
    guard !name.isEmpty, !name.contains(0), name.count + 1 <= capacity else { return nil }
    storage.sun_family = sa_family_t(AF_UNIX)
    let bytes = isAbstract ? [0] + name : name + [0]
    withUnsafeMutableBytes(of: &storage.sun_path) { $0.copyBytes(from: bytes) }
    length = socklen_t(offset + bytes.count)
  }

  public func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result
  {
    withUnsafeBytes(of: storage) { bytes in
      guard let base = bytes.baseAddress else { preconditionFailure("a stored value has bytes") }
      return body(base.assumingMemoryBound(to: sockaddr.self), length)
    }
  }
}

/// Tells a file from another one that took its path later, and with it perhaps its inode.
private struct FileIdentity: Equatable {
  private let numbers: [Int]

  /// Nil when nothing has the path; `errno` then says why.
  init?(path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    numbers = [
      Int(bitPattern: UInt(status.st_dev)), Int(bitPattern: UInt(status.st_ino)),
      status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
    ]
  }
}

/// A listening unix socket that only its owner and root can connect to, and its file.
struct UnixSocketFile {
  /// Connections that the kernel keeps until they are accepted; it may be set to fewer itself
  /// (net.core.somaxconn).
  private static let backlog: Int32 = 4_096
  private static let streamType = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue)

  let path: String
  /// Whose owner it is after `listen`: the event loop's channel closes it.
  let descriptor: Int32
  private let identity: FileIdentity

  /// Binds `path` and listens. A socket without a listener is replaced, a live one never.
  static func listen(path: String) throws(SocketFileError) -> Self {
    guard let address = UnixSocketAddress(path: path) else { throw .pathTooLong(path) }
    try makeFolder(of: path)
    try removeStale(path, address)
    let descriptor = socket(AF_UNIX, streamType | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .failed("socket", path: path, errno: errno) }
    do throws(SocketFileError) {
      // The mode of the unbound socket becomes that of the file: there is no moment at which others
      // could connect.
      guard fchmod(descriptor, 0o600) == 0 else {
        throw .failed("fchmod", path: path, errno: errno)
      }
      guard address.withPointer({ bind(descriptor, $0, $1) }) == 0 else {
        throw .failed("bind", path: path, errno: errno)
      }
      guard Glibc.listen(descriptor, backlog) == 0 else {
        throw .failed("listen", path: path, errno: errno)
      }
      guard let identity = FileIdentity(path: path) else {
        throw .failed("lstat", path: path, errno: errno)
      }
      return Self(path: path, descriptor: descriptor, identity: identity)
    } catch {
      Glibc.close(descriptor)
      throw error
    }
  }

  /// Removes the file, unless somebody else has put another one there.
  func remove() {
    if FileIdentity(path: path) == identity { unlink(path) }
  }

  private static func makeFolder(of path: String) throws(SocketFileError) {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
    let folder = String(path[..<slash])
    guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
      throw .failed("mkdir", path: folder, errno: errno)
    }
  }

  private static func removeStale(
    _ path: String, _ address: UnixSocketAddress
  ) throws(SocketFileError) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      guard errno == ENOENT else { throw .failed("lstat", path: path, errno: errno) }
      return
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path) }
    let probe = socket(AF_UNIX, streamType | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { throw .failed("socket", path: path, errno: errno) }
    defer { Glibc.close(probe) }
    guard address.withPointer({ connect(probe, $0, $1) }) != 0 else { throw .inUse(path) }
    let reason = errno
    switch reason {
    case ECONNREFUSED: break
    // The listener is there but slow.
    case EAGAIN: throw .inUse(path)
    default: throw .failed("connect", path: path, errno: reason)
    }
    guard unlink(path) == 0 || errno == ENOENT else {
      throw .failed("unlink", path: path, errno: errno)
    }
  }
}
