import ClusterTypes
import KeeperProtocol
import Testing

@testable import Keeper

@Suite struct KeeperMachineTests {
  private var machine = KeeperMachine()
  private let watchdog = WatchdogFacts(
    device: "/dev/watchdog", identity: "iTCO_wdt", timeoutMilliseconds: 6000)
  private let node = NodeInstance(NodeID(1).unsafelyUnwrapped, Incarnation(5))
  private let space = LockspaceName("A0B1").unsafelyUnwrapped

  private func handle(_ machine: inout KeeperMachine, _ input: KeeperInput) -> [KeeperEffect] {
    var effects: [KeeperEffect] = []
    machine.handle(input, effects: &effects)
    return effects
  }

  private func ask(_ machine: inout KeeperMachine, _ request: KeeperRequest) -> [KeeperEffect] {
    handle(&machine, .received(request, on: .calls))
  }

  private func announcement(_ action: String, _ sequence: Int) -> [UInt8] {
    Array(
      """
      \(action)@/kernel/dlm/A0B1\0ACTION=\(action)\0DEVPATH=/kernel/dlm/A0B1\0SUBSYSTEM=dlm\0\
      LOCKSPACE=A0B1\0SEQNUM=\(sequence)\0
      """.utf8)
  }

  private func isRefused(_ effects: [KeeperEffect]) -> Bool {
    if effects.count == 1, case .reply(.refused) = effects[0] { true } else { false }
  }

  private func connect(_ machine: inout KeeperMachine) {
    _ = ask(&machine, .hello(version: KeeperProtocol.version, .calls))
    _ = handle(&machine, .received(.hello(version: KeeperProtocol.version, .events), on: .events))
  }

  @Test func `a clean node is petted whatever the lease, a bound one by lease`() {
    var machine = machine
    connect(&machine)
    #expect(ask(&machine, .lease(until: 77)) == [.setLimit(Petting.unlimited)])
    #expect(ask(&machine, .bind(true)) == [.setLimit(77)])
    #expect(ask(&machine, .lease(until: 99)) == [.setLimit(99)])
    #expect(ask(&machine, .lease(until: 0)) == [.setLimit(0)])
    #expect(ask(&machine, .bind(false)) == [.setLimit(Petting.unlimited)])
  }

  @Test func `a daemon that is gone moves no limit, and the next one finds everything`() {
    var machine = machine
    connect(&machine)
    _ = ask(
      &machine, .arm(device: "/dev/watchdog", timeoutMilliseconds: 6000, petMilliseconds: 1000))
    _ = handle(&machine, .armed(.success(watchdog)))
    #expect(ask(&machine, .control) == [.openControl])
    #expect(handle(&machine, .controlOpened(nil)) == [.reply(.done)])
    let table = KernelTable(
      local: node, comms: [node.node: node.incarnation],
      spaces: [space: StartedSpace(generation: 3, members: [node])])
    #expect(ask(&machine, .note(table)) == [.reply(.done)])
    _ = ask(&machine, .lease(until: 77))
    _ = ask(&machine, .bind(true))
    let end = handle(&machine, .closed)
    #expect(!end.contains { if case .setLimit = $0 { true } else { false } })
    #expect(
      ask(&machine, .hello(version: KeeperProtocol.version, .calls)) == [
        .reply(
          .welcome(
            KeeperState(table: table, isBound: true, isControlling: true, watchdog: watchdog)))
      ])
    #expect(ask(&machine, .control) == [.reply(.done)])
  }

  @Test func `what the kernel announced while nobody listened is told first, in order`() {
    var machine = machine
    #expect(handle(&machine, .announced(announcement("online", 7))).isEmpty)
    _ = ask(&machine, .hello(version: KeeperProtocol.version, .calls))
    #expect(
      handle(&machine, .received(.hello(version: KeeperProtocol.version, .events), on: .events))
        == [.event(.announced(announcement("online", 7)))])
    #expect(
      handle(&machine, .announced(announcement("add", 8))) == [
        .event(.announced(announcement("add", 8)))
      ])
  }

  @Test func `a join is answered once, also by a daemon that does not know of the answer`() {
    var machine = machine
    connect(&machine)
    _ = handle(&machine, .announced(announcement("online", 7)))
    #expect(
      ask(&machine, .answer(directory: "A0B1", sequence: 7, result: 0)) == [
        .writeAnswer(directory: "A0B1", sequence: 7, result: 0)
      ])
    #expect(
      handle(&machine, .answerWritten(directory: "A0B1", sequence: 7, nil)) == [.reply(.done)])
    #expect(
      ask(&machine, .answer(directory: "A0B1", sequence: 7, result: 0)) == [.reply(.answeredBefore)]
    )
    // The next umount waits under a number of its own.
    _ = handle(&machine, .announced(announcement("offline", 12)))
    #expect(
      ask(&machine, .answer(directory: "A0B1", sequence: 7, result: 0)) == [.reply(.answeredBefore)]
    )
    #expect(
      ask(&machine, .answer(directory: "A0B1", sequence: 12, result: 0)) == [
        .writeAnswer(directory: "A0B1", sequence: 12, result: 0)
      ])
  }

  @Test func `an answer that could not be written may be given again`() {
    var machine = machine
    connect(&machine)
    _ = handle(&machine, .announced(announcement("online", 7)))
    _ = ask(&machine, .answer(directory: "A0B1", sequence: 7, result: 0))
    #expect(
      handle(&machine, .answerWritten(directory: "A0B1", sequence: 7, KeeperFailure("EIO"))) == [
        .reply(.refused(reason: "EIO"))
      ])
    #expect(
      ask(&machine, .answer(directory: "A0B1", sequence: 7, result: 0)) == [
        .writeAnswer(directory: "A0B1", sequence: 7, result: 0)
      ])
  }

  @Test func `a join that was found without its announcement is answered without a number`() {
    var machine = machine
    connect(&machine)
    #expect(
      ask(&machine, .answer(directory: "A0B1", sequence: 0, result: -5)) == [
        .writeAnswer(directory: "A0B1", sequence: 0, result: -5)
      ])
  }

  @Test(arguments: ["", "..", ".", "a/b", "../x"])
  func `an answer cannot be written anywhere else`(directory: String) {
    var machine = machine
    connect(&machine)
    let effects = ask(&machine, .answer(directory: directory, sequence: 0, result: 0))
    #expect(effects.count == 1)
    #expect(!effects.contains { if case .writeAnswer = $0 { true } else { false } })
  }

  @Test func `nothing is given up while something may write`() {
    var machine = machine
    connect(&machine)
    _ = handle(&machine, .armed(.success(watchdog)))
    _ = ask(&machine, .bind(true))
    #expect(isRefused(ask(&machine, .farewell)))
    _ = ask(&machine, .bind(false))
    _ = handle(&machine, .announced(announcement("online", 7)))
    #expect(isRefused(ask(&machine, .farewell)))
    _ = handle(&machine, .announced(announcement("remove", 8)))
    #expect(ask(&machine, .farewell) == [.disarmWatchdog, .reply(.done)])
    #expect(machine.state == KeeperState())
  }

  @Test func `another device is refused while one is armed, and so is a timeout without room`() {
    var machine = machine
    connect(&machine)
    #expect(
      isRefused(
        ask(&machine, .arm(device: "/dev/w", timeoutMilliseconds: 2000, petMilliseconds: 1000))))
    _ = handle(&machine, .armed(.success(watchdog)))
    #expect(
      isRefused(
        ask(&machine, .arm(device: "/dev/w", timeoutMilliseconds: 6000, petMilliseconds: 1000))))
    #expect(
      ask(&machine, .arm(device: "/dev/watchdog", timeoutMilliseconds: 9000, petMilliseconds: 1000))
        == [
          .armWatchdog(device: "/dev/watchdog", timeoutMilliseconds: 9000, petMilliseconds: 1000)
        ])
  }

  @Test func `a daemon of another release is told so`() {
    var machine = machine
    let effects = ask(&machine, .hello(version: 99, .calls))
    guard effects.count == 1, case .reply(.refused(let reason)) = effects[0] else {
      Issue.record("\(effects)")
      return
    }
    #expect(reason.contains("99"))
  }
}
