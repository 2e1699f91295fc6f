import CLinux
import Glibc
import Synchronization

/// One started program: a process group of its own, its input, what it prints, and its end.
///
/// `run` blocks, on a thread for it; `cancel` may come from any other thread.
public final class AgentProcess: Sendable {
  /// Of what a program prints the end is kept: there errors stand.
  static let keptOutputBytes = 4096
  private static let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/"]

  private let path: String
  private let arguments: [String]
  private let input: [UInt8]
  private let timeoutMilliseconds: UInt32
  /// A byte in it ends the waiting.
  private let cancelPipe: (reading: Int32, writing: Int32)

  /// `path` is absolute. `input` is written and closed before anything is awaited: at most
  /// `AgentInput.maximumBytes`.
  public init(
    path: String, arguments: [String] = [], input: [UInt8], timeoutMilliseconds: UInt32
  ) throws(FenceInputError) {
    self.path = path
    self.arguments = arguments
    self.input = input
    self.timeoutMilliseconds = timeoutMilliseconds
    cancelPipe = try Self.makePipe()
  }

  deinit {
    close(cancelPipe.reading)
    close(cancelPipe.writing)
  }

  /// Kills the program, now or as soon as it is started; no effect when it has ended.
  public func cancel() {
    var byte: UInt8 = 1
    // The pipe is empty: this cannot block. Later calls add nothing.
    _ = Glibc.write(cancelPipe.writing, &byte, 1)
  }

  /// Starts the program and returns when nothing of its process group runs any more.
  public func run() -> AgentOutcome {
    do {
      let (inputReading, inputWriting) = try Self.makePipe()
      defer { close(inputReading) }
      guard writeInput(inputWriting) else {
        close(inputWriting)
        throw FenceInputError(description: "its input does not fit into a pipe")
      }
      close(inputWriting)
      let (outputReading, outputWriting) = try Self.makePipe()
      defer { close(outputReading) }
      let process: pid_t
      do throws(FenceInputError) {
        process = try spawn(input: inputReading, output: outputWriting)
        close(outputWriting)
      } catch {
        close(outputWriting)
        throw error
      }
      return watch(process, output: outputReading)
    } catch {
      return AgentOutcome(.notStarted("\(error)"))
    }
  }

  private func writeInput(_ descriptor: Int32) -> Bool {
    // An empty pipe takes a page at a time and 64 KiB in all.
    input.isEmpty || Glibc.write(descriptor, input, input.count) == input.count
  }

  private func spawn(input: Int32, output: Int32) throws(FenceInputError) -> pid_t {
    var vector: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = Self.environment.map { strdup($0) } + [nil]
    defer { for pointer in vector + environment { free(pointer) } }
    var process: pid_t = 0
    let reason = clinux_spawn_apart(path, &vector, &environment, input, output, output, &process)
    guard reason == 0 else {
      throw FenceInputError(
        description: "\(path) cannot be started: \(String(cString: strerror(reason)))")
    }
    return process
  }

  private func watch(_ process: pid_t, output: Int32) -> AgentOutcome {
    let ended = clinux_process_descriptor(process)
    var printed: [UInt8] = []
    var why: AgentOutcome.Ending?
    if ended >= 0 {
      why = wait(ended: ended, output: output, &printed)
      close(ended)
    } else {
      // Without a sign of its end it could outlive its time.
      why = .notStarted("its end cannot be watched: \(String(cString: strerror(errno)))")
    }
    if why != nil { kill(-process, SIGKILL) }
    let status = clinux_collect_group(process)
    drain(output, &printed)
    let text = String(decoding: printed, as: UTF8.self)
    if let why { return AgentOutcome(why, output: text) }
    guard status >= 0 else {
      return AgentOutcome(.notStarted("its exit status was lost"), output: text)
    }
    // Lower seven bits: the signal that ended it; next eight: its exit status.
    let signal = status & 0x7F
    return AgentOutcome(
      signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal), output: text)
  }

  /// Nil when the program ended by itself.
  private func wait(
    ended: Int32, output: Int32, _ printed: inout [UInt8]
  ) -> AgentOutcome.Ending? {
    let deadline = Self.milliseconds() + UInt64(timeoutMilliseconds)
    var isOpen = true
    while true {
      let now = Self.milliseconds()
      guard now < deadline else { return .timedOut }
      var watched = [
        pollfd(fd: ended, events: Int16(POLLIN), revents: 0),
        pollfd(fd: cancelPipe.reading, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isOpen ? output : -1, events: Int16(POLLIN), revents: 0),
      ]
      let ready = poll(&watched, 3, Int32(clamping: deadline - now))
      if ready < 0 && errno != EINTR {
        return .notStarted("it cannot be watched: \(String(cString: strerror(errno)))")
      }
      guard ready > 0 else { continue }
      if watched[0].revents != 0 { return nil }
      if watched[1].revents != 0 { return .cancelled }
      if watched[2].revents != 0 { isOpen = read(output, &printed) > 0 }
    }
  }

  /// What is there to read after the end, without waiting for somebody who escaped with the pipe.
  private func drain(_ output: Int32, _ printed: inout [UInt8]) {
    let flags = fcntl(output, F_GETFL)
    guard flags >= 0, fcntl(output, F_SETFL, flags | O_NONBLOCK) == 0 else { return }
    for _ in 0..<64 { if read(output, &printed) <= 0 { return } }
  }

  private func read(_ output: Int32, _ printed: inout [UInt8]) -> Int {
    var chunk = [UInt8](repeating: 0, count: Self.keptOutputBytes)
    var count: Int
    repeat { count = Glibc.read(output, &chunk, chunk.count) } while count < 0 && errno == EINTR
    if count > 0 {
      printed += chunk[..<count]
      printed.removeFirst(max(0, printed.count - Self.keptOutputBytes))
    }
    return count
  }

  private static func makePipe() throws(FenceInputError) -> (reading: Int32, writing: Int32) {
    var ends: [Int32] = [-1, -1]
    guard clinux_pipe(&ends) == 0 else {
      throw FenceInputError(description: "no pipe: \(String(cString: strerror(errno)))")
    }
    return (ends[0], ends[1])
  }

  private static func milliseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec / 1_000_000)
  }
}
