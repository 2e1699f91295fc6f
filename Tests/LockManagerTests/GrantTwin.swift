import LockProtocol

@testable import LockManager

/// The decisions of a master about one resource, in the plainest words of dlm-wire 7.5, 8.4 to 8.6
/// and 10: slow, obvious, and written without looking at the machine. All locks are local.
struct GrantTwin {
  enum Queue { case granted, converting, waiting }

  enum Event: Equatable {
    case completed(UInt64, LockOutcome.Result, LockMode?)
    case blocking(UInt64, LockMode)
    case released(UInt64)
  }

  struct Entry {
    let handle: UInt64
    var gr: LockMode = .iv
    var rq: LockMode = .iv
    var flags: LockFlags
    var queue = Queue.waiting
    var highbast: LockMode = .nl
    var demoted = false
    var completedMode: LockMode = .iv
  }

  /// The three queues one after the other in one list; a lock's place in its queue is its place
  /// among those of the same queue.
  var entries: [Entry] = []
  var events: [Event] = []

  private static let table: [LockMode: [LockMode: Bool]] = {
    let rows: [(LockMode, String)] = [
      (.iv, "1111111"), (.nl, "1111111"), (.cr, "1111110"), (.cw, "1111000"), (.pr, "1110100"),
      (.pw, "1110000"), (.ex, "1100000"),
    ]
    return Dictionary(
      uniqueKeysWithValues: rows.map { mode, row in
        (
          mode,
          Dictionary(uniqueKeysWithValues: zip(LockMode.allCases, row).map { ($0, $1 == "1") })
        )
      })
  }()

  func compat(_ one: LockMode, _ other: LockMode) -> Bool { Self.table[one]?[other] ?? false }

  func queue(_ queue: Queue) -> [Entry] { entries.filter { $0.queue == queue } }

  func index(_ handle: UInt64) -> Int? { entries.firstIndex { $0.handle == handle } }

  // MARK: Calls

  mutating func request(_ handle: UInt64, _ mode: LockMode, _ flags: LockFlags) {
    var entry = Entry(handle: handle, rq: mode, flags: flags)
    if canBeGranted(&entry, now: true) {
      grant(&entry)
      entries.insert(entry, at: 0)
      complete(handle, .granted)
      return
    }
    if flags.contains(.noQueue) {
      if flags.contains(.noQueueBlockingCallback) {
        bast(entry, .granted)
        bast(entry, .converting)
      }
      events.append(.completed(handle, .wouldBlock, nil))
      return
    }
    insert(entry, .waiting)
    bast(entry, .granted)
  }

  mutating func convert(_ handle: UInt64, _ mode: LockMode, _ flags: LockFlags) {
    guard let place = index(handle) else { return }
    entries[place].flags = flags
    entries[place].rq = mode
    entries[place].demoted = false
    var entry = entries[place]
    var granted = canBeGranted(&entry, now: true)
    if !granted, !flags.contains(.noQueue), deadlock(entry) {
      if flags.contains(.conversionDeadlock) {
        entry.gr = .nl
        entry.demoted = true
        entries[place] = entry
        _ = convertPass()
        guard let place = index(handle) else { return }
        entry = entries[place]
        granted = canBeGranted(&entry, now: true)
      } else if !flags.contains(.noDeadlockWait) {
        complete(handle, .deadlock)
        return
      }
    }
    guard let place = index(handle) else { return }
    if granted {
      let isSame = entry.gr == entry.rq
      grant(&entry)
      entries.remove(at: place)
      entries.insert(entry, at: isSame ? place : 0)
      complete(handle, .granted)
      grantOthers()
    } else if flags.contains(.noQueue) {
      complete(handle, .wouldBlock)
      if flags.contains(.noQueueBlockingCallback) {
        bast(entry, .granted)
        bast(entry, .converting)
      }
    } else {
      entries.remove(at: place)
      insert(entry, .converting)
      bast(entry, .granted)
    }
  }

  mutating func unlock(_ handle: UInt64) {
    entries.removeAll { $0.handle == handle }
    events.append(.released(handle))
    grantOthers()
  }

  mutating func cancel(_ handle: UInt64) {
    guard let place = index(handle), entries[place].queue != .granted else { return }
    if entries[place].queue == .waiting {
      entries.remove(at: place)
      events.append(.completed(handle, .cancelled, nil))
    } else {
      var entry = entries.remove(at: place)
      entry.queue = .granted
      entries.insert(entry, at: 0)
      complete(handle, .cancelled)
    }
    grantOthers()
  }

  // MARK: Decisions

  private mutating func complete(_ handle: UInt64, _ result: LockOutcome.Result) {
    guard let place = index(handle) else { return }
    entries[place].completedMode = entries[place].gr
    events.append(.completed(handle, result, entries[place].gr))
  }

  private mutating func insert(_ entry: Entry, _ queue: Queue) {
    var entry = entry
    entry.queue = queue
    if entry.flags.contains(.headOfQueue) {
      entries.insert(entry, at: 0)
    } else {
      entries.append(entry)
    }
  }

  private func grant(_ entry: inout Entry) {
    entry.gr = entry.rq
    entry.rq = .iv
    entry.queue = .granted
    entry.highbast = .nl
  }

  private func conflicts(_ entry: Entry, _ queue: Queue) -> Bool {
    self.queue(queue).contains { $0.handle != entry.handle && !compat($0.gr, entry.rq) }
  }

  /// Steps 1 to 11, then the alternate modes.
  private func canBeGranted(_ entry: inout Entry, now: Bool) -> Bool {
    if steps(entry, now: now) { return true }
    if entry.gr != .iv { return false }
    let wanted = entry.rq
    if entry.flags.contains(.alternatePR), wanted != .pr {
      entry.rq = .pr
    } else if entry.flags.contains(.alternateCW), wanted != .cw {
      entry.rq = .cw
    } else {
      return false
    }
    if steps(entry, now: now) { return true }
    entry.rq = wanted
    return false
  }

  private func steps(_ entry: Entry, now: Bool) -> Bool {
    let conv = entry.gr != .iv
    if entry.flags.contains(.expedite) { return true }
    if conflicts(entry, .granted) { return false }
    if conflicts(entry, .converting) { return false }
    if now, conv, !entry.flags.contains(.queueConversion) { return true }
    if now, conv, entry.flags.contains(.queueConversion) { return queue(.converting).isEmpty }
    if entry.flags.contains(.noOrder) { return true }
    if !now, conv { return queue(.converting).first?.handle == entry.handle }
    if now { return queue(.converting).isEmpty && queue(.waiting).isEmpty }
    return queue(.converting).isEmpty && queue(.waiting).first?.handle == entry.handle
  }

  private func deadlock(_ entry: Entry) -> Bool {
    let queue = queue(.converting)
    let place = queue.firstIndex { $0.handle == entry.handle } ?? queue.count
    for (other, candidate) in queue.enumerated() where other != place {
      let blocksIt = !compat(entry.gr, candidate.rq)
      let blocksMe = !compat(candidate.gr, entry.rq)
      if other < place ? blocksIt : blocksIt && blocksMe { return true }
    }
    return false
  }

  // MARK: Passes

  private mutating func grantWaiting(_ handle: UInt64, _ entry: Entry) {
    guard let place = index(handle) else { return }
    var entry = entry
    grant(&entry)
    entries.remove(at: place)
    entries.insert(entry, at: 0)
    complete(handle, .granted)
  }

  private mutating func convertPass() -> (high: LockMode, cw: Bool) {
    var cw = false
    var hasRepeatedForDemotion = false
    while true {
      var high: LockMode = .iv
      var granted = false
      var demoted = false
      for handle in queue(.converting).map(\.handle) {
        guard let place = index(handle) else { continue }
        var entry = entries[place]
        if canBeGranted(&entry, now: false) {
          grantWaiting(handle, entry)
          granted = true
        } else if deadlock(entry) {
          if entry.flags.contains(.conversionDeadlock) {
            entries[place].gr = .nl
            entries[place].demoted = true
            demoted = true
          } else if entry.flags.contains(.noDeadlockWait), entry.highbast < entry.rq {
            tell(place, entry.rq)
            entries[place].highbast = entry.rq
          }
        } else {
          high = max(high, entry.rq)
          cw = cw || entry.rq == .cw
        }
      }
      if granted { continue }
      if demoted, !hasRepeatedForDemotion {
        hasRepeatedForDemotion = true
        continue
      }
      return (high, cw)
    }
  }

  private mutating func grantOthers() {
    var (high, cw) = convertPass()
    for handle in queue(.waiting).map(\.handle) {
      guard let place = index(handle) else { continue }
      var entry = entries[place]
      if canBeGranted(&entry, now: false) {
        grantWaiting(handle, entry)
      } else {
        high = max(high, entry.rq)
        cw = cw || entry.rq == .cw
      }
    }
    guard high != .iv else { return }
    for handle in queue(.granted).map(\.handle) {
      guard let place = index(handle) else { continue }
      let holder = entries[place]
      let isHiddenCW = holder.gr == .pr && cw
      let isDue =
        isHiddenCW
        ? holder.highbast < .ex : holder.highbast < high && !compat(holder.gr, high)
      guard isDue else { continue }
      tell(place, isHiddenCW && high == .pr ? .cw : high)
      entries[place].highbast = high
    }
  }

  /// Blocking callbacks for a lock that was not granted.
  private mutating func bast(_ blocked: Entry, _ queue: Queue) {
    for handle in self.queue(queue).map(\.handle) where handle != blocked.handle {
      guard let place = index(handle) else { continue }
      let holder = entries[place]
      let isPair: Bool = [[LockMode.pr, .cw], [.cw, .pr]].contains([holder.gr, blocked.rq])
      let isDue =
        isPair
        ? holder.highbast < .ex
        : holder.highbast < blocked.rq && !compat(holder.gr, blocked.rq)
      guard isDue else { continue }
      tell(place, blocked.rq)
      entries[place].highbast = blocked.rq
    }
  }

  private mutating func tell(_ place: Int, _ mode: LockMode) {
    guard !compat(entries[place].completedMode, mode) else { return }
    events.append(.blocking(entries[place].handle, mode))
  }
}
