import Glibc

/// A program at work, whose standard input is open.
public final class RunningProgram {
  private var child = pid_t()
  private let input: Int32
  private let outputPath: String
  private let errorPath: String
  private var isFinished = false

  init(
    _ program: String, _ arguments: [String], environment: [String], in folder: String
  ) throws {
    let number = UInt64.random(in: 0...UInt64.max)
    outputPath = "\(folder)/output-\(number)"
    errorPath = "\(folder)/errors-\(number)"
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw RealLVM.Failure("pipe") }
    defer { close(ends[0]) }
    input = ends[1]
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    for (descriptor, path) in [(1, outputPath), (2, errorPath)] as [(Int32, String)] {
      posix_spawn_file_actions_addopen(
        &actions, descriptor, path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    }
    let argv = ([program] + arguments).map { strdup($0) }
    let envp = environment.map { strdup($0) }
    defer { for pointer in argv + envp { free(pointer) } }
    guard posix_spawn(&child, program, &actions, nil, argv + [nil], envp + [nil]) == 0 else {
      close(input)
      throw RealLVM.Failure("starting \(program)")
    }
  }

  deinit {
    if !isFinished { _ = try? finish(answer: "") }
  }

  /// What it has said on standard error so far.
  public var errors: String { Self.text(of: errorPath) }

  /// Gives an answer, and waits for the end.
  public func finish(answer: String) throws -> RealLVM.Output {
    if !answer.isEmpty { _ = Glibc.write(input, answer, answer.utf8.count) }
    close(input)
    isFinished = true
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 {
      guard errno == EINTR else { throw RealLVM.Failure("waitpid") }
    }
    let result = RealLVM.Output(
      status: status & 0x7F == 0 ? status >> 8 & 0xFF : -1, output: Self.text(of: outputPath),
      errors: Self.text(of: errorPath))
    unlink(outputPath)
    unlink(errorPath)
    return result
  }

  private static func text(of path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
