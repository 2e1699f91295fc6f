import ByteCoding
import ClusterMembership
import ClusterTypes

// The replicated part: every node applies the same views and messages in the same order and so
// holds the same value. Nothing here depends on which node it runs on.

/// All lockspaces and the removed nodes whose death is not proven.
struct GroupState: Hashable, Sendable {
  static let lockspaceLimit = 1024

  private(set) var view = View.none
  private(set) var lockspaces: [LockspaceName: Lockspace] = [:]
  private(set) var unfenced: [UnfencedNode] = []
  private var lastGeneration: UInt64 = 0

  /// `unseen`: nodes of which it is not known whether an earlier life may write.
  init(unseen: [NodeID] = []) {
    unfenced = unseen.sorted().map(UnfencedNode.init(unseen:))
  }

  mutating func apply(_ newView: View) {
    let removed = view.members.filter { !newView.contains($0.instance) }
    for member in removed {
      var wasInLockspace = false
      for name in lockspaces.keys.sorted() {
        guard lockspaces[name]?.includes(member.instance) == true else { continue }
        wasInLockspace = true
        change(name) { lockspace in
          lockspace.members.removeAll { $0 == member.instance }
          lockspace.leaving.removeAll { $0 == member.instance }
          lockspace.departures[member.instance] = .failed
        }
      }
      if wasInLockspace {
        unfenced.append(
          UnfencedNode(instance: member.instance, bootID: member.bootID, viewID: newView.id))
      }
    }
    view = newView
    // A reboot proves that the earlier life has stopped writing (membership-design 8, evidence 5). A
    // daemon that only started again vouches for its earlier life itself, when it is ready.
    unfenced.removeAll { dead in
      newView.members.contains { member in
        member.node == dead.instance.node && member.instance > dead.instance
          && member.bootID != dead.bootID && !dead.isUnknownLife
      }
    }
    startWhatCan()
  }

  mutating func apply(_ message: GroupMessage, from sender: NodeInstance) {
    guard view.contains(sender) else { return }
    switch message {
    case .join(let name, let kind): join(name, kind, sender)
    case .leave(let name, let kind):
      guard let lockspace = lockspaces[name], lockspace.kind == kind,
        lockspace.members.contains(sender)
      else { return }
      change(name) { lockspace in
        lockspace.members.removeAll { $0 == sender }
        lockspace.leaving.append(sender)
        lockspace.departures[sender] = .left
      }
    case .restart(let name):
      guard lockspaces[name]?.members.contains(sender) == true else { return }
      change(name) { _ in }
    case .stopped(let name, let generation):
      guard let lockspace = lockspaces[name], lockspace.generation == generation,
        case .stopping(let stopped) = lockspace.phase, lockspace.includes(sender)
      else { return }
      lockspaces[name]?.phase = .stopping(stopped: stopped.union([sender.node]))
    case .running(let name, let generation): running(name, generation, sender)
    case .fenced(let instance, _): unfenced.removeAll { $0.instance == instance }
    }
    startWhatCan()
  }

  /// Why a node cannot become a member; nil if it can or is one.
  func refusal(
    toJoin name: LockspaceName, _ kind: LockspaceKind, _ sender: NodeInstance
  ) -> String? {
    guard let lockspace = lockspaces[name] else {
      return lockspaces.count < Self.lockspaceLimit
        ? nil : "there are \(lockspaces.count) lockspaces already; leave one that is not needed"
    }
    if lockspace.kind != kind {
      return
        "the cluster has a lockspace of that name of the \(lockspace.kind) kind; leave it first"
    }
    return lockspace.leaving.contains(sender) ? "this node is still leaving it" : nil
  }

  private mutating func join(_ name: LockspaceName, _ kind: LockspaceKind, _ sender: NodeInstance) {
    guard refusal(toJoin: name, kind, sender) == nil else { return }
    if let lockspace = lockspaces[name] {
      guard !lockspace.includes(sender) else { return }
    } else {
      lockspaces[name] = Lockspace(
        name: name, kind: kind, generation: 0, phase: .stopping(stopped: []), members: [],
        leaving: [], departures: [:])
    }
    change(name) { lockspace in
      lockspace.members.append(sender)
      lockspace.members.sort()
    }
  }

  private mutating func running(
    _ name: LockspaceName, _ generation: UInt64, _ sender: NodeInstance
  ) {
    guard let lockspace = lockspaces[name], lockspace.generation == generation,
      case .started(let running) = lockspace.phase, lockspace.members.contains(sender)
    else { return }
    let now = running.union([sender.node])
    lockspaces[name]?.phase = .started(running: now)
    if lockspace.members.allSatisfy({ now.contains($0.node) }) {
      lockspaces[name]?.departures = [:]
    }
  }

  private mutating func change(_ name: LockspaceName, _ body: (inout Lockspace) -> Void) {
    guard var lockspace = lockspaces[name] else { return }
    body(&lockspace)
    lastGeneration += 1
    lockspace.generation = lastGeneration
    lockspace.phase = .stopping(stopped: [])
    lockspaces[name] = lockspace
  }

  /// Starts every lockspace on which all have stopped, unless a removed node may still write:
  /// the gate is one for all lockspaces, because a dead node's lockspace may have lost all its
  /// members and be joined anew elsewhere (membership-design 7).
  private mutating func startWhatCan() {
    guard unfenced.isEmpty else { return }
    for name in lockspaces.keys.sorted() {
      guard var lockspace = lockspaces[name], case .stopping(let stopped) = lockspace.phase,
        lockspace.mustStop.isSubset(of: stopped)
      else { continue }
      lockspace.leaving = []
      lockspace.phase = .started(running: [])
      lockspaces[name] = lockspace.members.isEmpty ? nil : lockspace
    }
  }
}

// MARK: - Snapshot

extension GroupState {
  private static let memberLimit = 64
  private static let departureLimit = 1024

  var snapshot: [UInt8] {
    var writer = ByteWriter()
    writer.write(view.id)
    writer.writeList(view.members) { writer, member in
      writer.write(member.instance)
      writer.writeString(member.bootID)
      writer.write(UInt8(member.startedClean ? 1 : 0))
    }
    writer.write(lastGeneration)
    writer.writeList(unfenced) { writer, dead in
      writer.write(dead.instance)
      writer.writeString(dead.bootID)
      writer.write(dead.viewID)
    }
    writer.writeList(lockspaces.values.sorted { $0.name < $1.name }) { $0.write($1) }
    return writer.bytes
  }

  init(snapshot: [UInt8]) throws(ByteDecodingError) {
    var reader = ByteReader(snapshot)
    let viewID = try reader.readNumber()
    let members = try reader.readList(limit: Self.memberLimit) { r throws(ByteDecodingError) in
      Member(
        instance: try r.readInstance(),
        bootID: try r.readString(limit: Member.maximumBootIDLength),
        startedClean: try r.read(UInt8.self) != 0)
    }
    view = View(id: viewID, members: members)
    lastGeneration = try reader.readNumber()
    unfenced = try reader.readList(limit: Self.departureLimit) { r throws(ByteDecodingError) in
      UnfencedNode(
        instance: try r.readInstance(),
        bootID: try r.readString(limit: Member.maximumBootIDLength), viewID: try r.readNumber())
    }
    let list = try reader.readList(limit: Self.lockspaceLimit) { r throws(ByteDecodingError) in
      try r.readLockspace(memberLimit: Self.memberLimit, departureLimit: Self.departureLimit)
    }
    for lockspace in list { lockspaces[lockspace.name] = lockspace }
    try reader.expectEnd()
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ lockspace: Lockspace) {
    writeString(lockspace.name.text)
    write(lockspace.kind.rawValue)
    write(lockspace.generation)
    let (tag, nodes) =
      switch lockspace.phase {
      case .stopping(let stopped): (UInt8(1), stopped)
      case .started(let running): (UInt8(2), running)
      }
    write(tag)
    writeList(nodes.sorted()) { $0.write($1.rawValue) }
    writeList(lockspace.members) { $0.write($1) }
    writeList(lockspace.leaving) { $0.write($1) }
    writeList(lockspace.departures.sorted { $0.key < $1.key }) { writer, departure in
      writer.write(departure.key)
      writer.write(departure.value.rawValue)
    }
  }
}

extension ByteReader {
  fileprivate mutating func readNode() throws(ByteDecodingError) -> NodeID {
    guard let node = NodeID(try read(Int32.self)) else { throw .invalid("node id") }
    return node
  }

  fileprivate mutating func readLockspace(
    memberLimit: Int, departureLimit: Int
  ) throws(ByteDecodingError) -> Lockspace {
    let name = try readLockspaceName()
    let kind = try readLockspaceKind()
    let generation = try readNumber()
    let tag: UInt8 = try read()
    let nodes = Set(
      try readList(limit: memberLimit) { r throws(ByteDecodingError) in try r.readNode() })
    let phase: Lockspace.Phase
    switch tag {
    case 1: phase = .stopping(stopped: nodes)
    case 2: phase = .started(running: nodes)
    default: throw .invalid("phase of lockspace \(name)")
    }
    let members = try readList(limit: memberLimit) { r throws(ByteDecodingError) in
      try r.readInstance()
    }
    let leaving = try readList(limit: memberLimit) { r throws(ByteDecodingError) in
      try r.readInstance()
    }
    let departures = try readList(limit: departureLimit) { r throws(ByteDecodingError) in
      let instance = try r.readInstance()
      guard let departure = Departure(rawValue: try r.read()) else {
        throw .invalid("departure of node \(instance)")
      }
      return (instance, departure)
    }
    return Lockspace(
      name: name, kind: kind, generation: generation, phase: phase, members: members,
      leaving: leaving, departures: Dictionary(departures, uniquingKeysWith: { first, _ in first }))
  }
}
