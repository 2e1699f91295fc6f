import ArgumentParser
import ClusterTypes
import Glibc
import LockManager
import LockProtocol

/// What one held lock takes at its master: the machine alone, with requests of another node.
struct MemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memory", abstract: "Measure the memory of a held lock at its master.")

  @Option(help: "Locks, each on a resource of its own.")
  var locks = 100_000

  struct SetupError: Error, CustomStringConvertible {
    let description: String
  }

  func run() throws {
    guard let master = NodeID(1), let owner = NodeID(2), let name = LockspaceName("memory") else {
      throw SetupError(description: "the benchmark's own names are refused")
    }
    var machines = [master, owner].map {
      LockspaceMachine(LockspaceMachine.Configuration(name: name, localNode: $0, seed: 1))
    }
    try start(&machines, members: [master, owner])
    // Names that the owner's directory share covers: its requests need no lookup.
    let directory = DirectoryMap(members: [master, owner])
    let names = (0...).lazy.compactMap { ResourceName("a name of usual length \($0)") }
      .filter { directory.node(for: $0) == owner }.prefix(locks)

    let before = try residentBytes()
    for (index, resource) in names.enumerated() {
      let request = LockMessage(
        .request, lockspaceID: LockspaceID(name: name), sender: owner, processID: 1,
        lockID: LockID(UInt32(index + 1)), hash: resource.hash, requestedMode: .ex,
        callbacks: [.completion, .blocking], extra: resource.bytes)
      var effects: [LockspaceMachine.Effect] = []
      machines[0].receive(
        .lock(request), from: owner, at: Timestamp(milliseconds: 1), effects: &effects)
    }
    guard machines[0].lockCount == locks else {
      throw SetupError(description: "\(machines[0].lockCount) of \(locks) locks were granted")
    }
    let perLock = Double(try residentBytes() - before) / Double(locks)
    print("memory of a held lock at its master: \(Results.text(perLock / 1000)) kB")
  }

  /// Hands the machines' packets to each other until both run.
  private func start(_ machines: inout [LockspaceMachine], members: [NodeID]) throws {
    var now = Timestamp(milliseconds: 1)
    var effects = [[LockspaceMachine.Effect]](repeating: [], count: 2)
    for index in machines.indices {
      machines[index].handle(
        .start(members: members.map { Member($0) }, departed: []), at: now,
        effects: &effects[index])
    }
    while !machines.allSatisfy({ $0.state == .running }) {
      guard now < Timestamp(milliseconds: 60_000) else {
        throw SetupError(description: "the machines do not get to run")
      }
      now = now + .milliseconds(10)
      for index in machines.indices {
        let sent = effects[index]
        effects[index] = []
        for case .send(let packet, _) in sent {
          machines[1 - index].handle(
            .receive(packet, from: members[index]), at: now, effects: &effects[1 - index])
        }
        machines[index].handle(.timer, at: now, effects: &effects[index])
      }
    }
  }

  private func residentBytes() throws -> Int {
    guard let file = fopen("/proc/self/statm", "r") else {
      throw SetupError(description: "/proc/self/statm cannot be read")
    }
    defer { fclose(file) }
    var buffer = [CChar](repeating: 0, count: 256)
    guard fgets(&buffer, Int32(buffer.count), file) != nil else {
      throw SetupError(description: "/proc/self/statm is empty")
    }
    let text = String(
      decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    guard let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
      throw SetupError(description: "/proc/self/statm says \(text)")
    }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}
