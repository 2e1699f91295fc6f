import Glibc

/// The input that runs, in a mapped file: it is there after the process is not. The first eight
/// bytes are its length.
struct Journal: ~Copyable {
  private let memory: UnsafeMutableRawPointer
  private let capacity: Int

  init(path: String, capacity: Int) throws(Files.Failure) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Files.Failure("cannot create \(path)") }
    defer { close(descriptor) }
    guard ftruncate(descriptor, 8 + capacity) == 0 else {
      throw Files.Failure("cannot make \(path) long enough")
    }
    let memory = mmap(nil, 8 + capacity, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard let memory, memory != MAP_FAILED else { throw Files.Failure("cannot map \(path)") }
    self.memory = memory
    self.capacity = capacity
  }

  borrowing func record(_ input: [UInt8]) {
    let count = min(input.count, capacity)
    memory.storeBytes(of: UInt64(count), as: UInt64.self)
    input.withUnsafeBytes { bytes in
      if let start = bytes.baseAddress { memcpy(memory + 8, start, count) }
    }
  }

  /// Makes of the journal at `path` a file with the input alone.
  static func keepInput(in path: String) throws(Files.Failure) {
    let contents = try Files.contents(of: path)
    guard contents.count >= 8 else { return }
    let count = contents.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let input = Array(contents.dropFirst(8).prefix(count))
    let descriptor = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
    guard descriptor >= 0 else { throw Files.Failure("cannot open \(path)") }
    defer { close(descriptor) }
    guard write(descriptor, input, input.count) == input.count else {
      throw Files.Failure("cannot write \(path)")
    }
  }
}
