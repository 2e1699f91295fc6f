import ClusterTypes

@testable import LVMFrontends

/// A lock manager for several nodes in one process, as simple as can be: the twin that the machines
/// are tested against. It answers by appending to `answers`.
struct FakeLockManager {
  struct Handle: Hashable {
    let node: NodeID
    let token: LockToken
  }

  struct Place: Hashable {
    let lockspace: LockspaceName
    let resource: [UInt8]
  }

  struct Waiter {
    let handle: Handle
    let mode: ClusterLockMode
  }

  struct Resource {
    var granted: [Handle: ClusterLockMode] = [:]
    var converting: [Waiter] = []
    var waiting: [Waiter] = []
    var block: [UInt8]?
  }

  var members: [LockspaceName: Set<NodeID>] = [:]
  var resources: [Place: Resource] = [:]
  var places: [Handle: Place] = [:]
  var answers: [(node: NodeID, input: LockDaemonMachine.Input)] = []
  /// Nodes whose next joins fail.
  var failingJoins: Set<NodeID> = []
  /// How many of the next unlocks and conversions to weaker modes fail.
  var failingLowerings = 0
  var uses: [Handle: LockUse] = [:]
  /// Why LVs, by VG/UUID, must not be shared.
  var unshareable: [String: String] = [:]
  /// Processes that are not there any more when their connection is gone.
  var endedProcesses: Set<Int32> = []
  /// What was settled after commands that had ended, in that order.
  var settlements: [(node: NodeID, vg: String)] = []
  /// Reload requests that came, in their order.
  var reloads: [(node: NodeID, vg: String)] = []
  /// What the nodes say to reload requests.
  var reloadFailures: [NodeID: String] = [:]

  /// Carries out what concerns the cluster; false for other effects.
  mutating func carryOut(_ effect: LockDaemonMachine.Effect, of node: NodeID) -> Bool {
    switch effect {
    case .join(let name):
      if failingJoins.contains(node) {
        answers.append((node, .joinFailed(name, reason: "told to fail")))
      } else {
        members[name, default: []].insert(node)
        answers.append((node, .joined(name)))
      }
    case .leave(let name): leave(name, node)
    case .countMembers(let question, let name):
      let others = (members[name] ?? []).subtracting([node]).sorted()
      answers.append((node, .members(question, others: others)))
    case .lock(let token, let name, let bytes, let mode, let isQueued, _):
      let handle = Handle(node: node, token: token)
      let place = Place(lockspace: name, resource: bytes)
      places[handle] = place
      request(Waiter(handle: handle, mode: mode), at: place, isConversion: false, isQueued)
    case .convert(let token, let mode, let isQueued, let block):
      let handle = Handle(node: node, token: token)
      guard let place = places[handle] else { break }
      if let held = resources[place]?.granted[handle], mode < held, failsLowering(token, node) {
        break
      }
      if let block { resources[place]?.block = block }
      request(Waiter(handle: handle, mode: mode), at: place, isConversion: true, isQueued)
    case .cancel(let token): cancel(Handle(node: node, token: token))
    case .unlock(let token):
      let handle = Handle(node: node, token: token)
      if failsLowering(token, node) { break }
      guard let place = places.removeValue(forKey: handle) else { break }
      resources[place]?.granted[handle] = nil
      answers.append((node, .lockGranted(token, valueBlock: nil)))
      grant(at: place)
    case .settle(let question, let vg, let processID):
      let hasEnded = endedProcesses.contains(processID)
      if hasEnded { settlements.append((node, vg)) }
      answers.append((node, .settled(question, hasEnded: hasEnded)))
    case .reload(let question, let vg):
      reloads.append((node, vg))
      answers.append((node, .reloaded(question, failures: reloadFailures)))
    case .findHolders(let question, let name, let bytes):
      let place = Place(lockspace: name, resource: bytes)
      let holders = (resources[place]?.granted ?? [:]).filter { $0.value != .null }.map { held in
        ResourceHolder(node: held.key.node, use: uses[held.key], mode: held.value, age: .seconds(7))
      }
      answers.append((node, .holders(question, holders)))
    case .checkSharing(let question, let vg, let uuid):
      answers.append((node, .sharingChecked(question, refusal: unshareable["\(vg)/\(uuid)"])))
    case .describe(let token, let use): uses[Handle(node: node, token: token)] = use
    case .reply, .sendDump, .closeClient, .persist, .forget, .adoptionFailed, .quit, .log,
      .volumeLockEnded:
      return false
    }
    return true
  }

  private mutating func failsLowering(_ token: LockToken, _ node: NodeID) -> Bool {
    guard failingLowerings > 0 else { return false }
    failingLowerings -= 1
    answers.append((node, .lockRefused(token, .failed("told to fail"))))
    return true
  }

  /// The node is gone, and everything it had.
  mutating func remove(_ node: NodeID) {
    for name in members.keys.sorted() where members[name]?.contains(node) == true {
      leave(name, node)
    }
    answers.removeAll { $0.node == node }
  }

  private mutating func leave(_ name: LockspaceName, _ node: NodeID) {
    members[name]?.remove(node)
    for (handle, place) in places where handle.node == node && place.lockspace == name {
      places[handle] = nil
      resources[place]?.granted[handle] = nil
      resources[place]?.converting.removeAll { $0.handle == handle }
      resources[place]?.waiting.removeAll { $0.handle == handle }
    }
    for place in resources.keys.sorted(by: { $0.resource.lexicographicallyPrecedes($1.resource) })
    where place.lockspace == name {
      grant(at: place)
      if members[name]?.isEmpty ?? true { resources[place] = nil }
    }
    answers.append((node, .left(name)))
  }

  private mutating func request(
    _ waiter: Waiter, at place: Place, isConversion: Bool, _ isQueued: Bool
  ) {
    let resource = resources[place] ?? Resource()
    let isWeaker = isConversion && waiter.mode <= (resource.granted[waiter.handle] ?? .null)
    let isFree = isConversion ? resource.converting.isEmpty : resource.waiting.isEmpty
    if isWeaker || (isFree && Self.isCompatible(waiter, resource)) {
      resources[place, default: Resource()].granted[waiter.handle] = waiter.mode
      answer(waiter, at: place)
      grant(at: place)
    } else if !isQueued {
      let holder = resource.granted.first { $0.value != .null && $0.key != waiter.handle }?.key.node
      if !isConversion { places[waiter.handle] = nil }
      answers.append(
        (waiter.handle.node, .lockRefused(waiter.handle.token, .heldElsewhere(by: holder))))
    } else if isConversion {
      resources[place, default: Resource()].converting.append(waiter)
    } else {
      resources[place, default: Resource()].waiting.append(waiter)
    }
  }

  private mutating func cancel(_ handle: Handle) {
    guard let place = places[handle], let resource = resources[place] else { return }
    let isConverting = resource.converting.contains { $0.handle == handle }
    guard isConverting || resource.waiting.contains(where: { $0.handle == handle }) else { return }
    resources[place]?.converting.removeAll { $0.handle == handle }
    resources[place]?.waiting.removeAll { $0.handle == handle }
    if !isConverting { places[handle] = nil }
    answers.append((handle.node, .lockRefused(handle.token, .cancelled)))
    grant(at: place)
  }

  private mutating func grant(at place: Place) {
    while let first = resources[place]?.converting.first ?? resources[place]?.waiting.first,
      let resource = resources[place], Self.isCompatible(first, resource)
    {
      if resource.converting.isEmpty {
        resources[place]?.waiting.removeFirst()
      } else {
        resources[place]?.converting.removeFirst()
      }
      resources[place]?.granted[first.handle] = first.mode
      answer(first, at: place)
    }
  }

  private mutating func answer(_ waiter: Waiter, at place: Place) {
    answers.append(
      (
        waiter.handle.node,
        .lockGranted(waiter.handle.token, valueBlock: resources[place]?.block)
      ))
  }

  private static func isCompatible(_ waiter: Waiter, _ resource: Resource) -> Bool {
    resource.granted.allSatisfy { handle, mode in
      handle == waiter.handle || mode == .null || waiter.mode == .null
        || (mode == .shared && waiter.mode == .shared)
    }
  }
}
