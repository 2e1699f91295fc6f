import ClusterTypes
import LockManager
import LockProtocol

/// What this node knows about the lockspace.
struct LockspaceDump: Encodable, Equatable, Sendable {
  struct Lock: Encodable, Equatable, Sendable {
    /// For a lock of this node as in its calls, 0 for one that was abandoned; for others the id at
    /// their owner's.
    var lkid: UInt64
    /// The id on the wire at this node.
    var wireLkid: UInt32
    var node: Int32
    var pid: UInt32
    /// The granted mode; IV for a waiting lock.
    var mode: String
    var requested: String?
    var orphan: Bool
  }

  struct Resource: Encodable, Equatable, Sendable {
    var resource: String
    var resourceHex: String
    var directory: Int32
    /// Nil while it is unknown.
    var master: Int32?
    /// False for a resource that is only remembered.
    var active: Bool
    /// Nil where this node has no contents, which is always so unless it is the master.
    var lvb: String?
    var lvbseq: UInt32
    var valnotvalid: Bool
    /// The queues: at the master those of all nodes, elsewhere this node's own locks.
    var granted: [Lock] = []
    var converting: [Lock] = []
    var waiting: [Lock] = []

    private enum CodingKeys: CodingKey {
      case resource, resourceHex, directory, master, active, lvb, lvbseq, valnotvalid
      case granted, converting, waiting
    }

    /// Every key is there, with null where nothing is known.
    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(resource, forKey: .resource)
      try container.encode(resourceHex, forKey: .resourceHex)
      try container.encode(directory, forKey: .directory)
      try container.encode(master, forKey: .master)
      try container.encode(active, forKey: .active)
      try container.encode(lvb, forKey: .lvb)
      try container.encode(lvbseq, forKey: .lvbseq)
      try container.encode(valnotvalid, forKey: .valnotvalid)
      try container.encode(granted, forKey: .granted)
      try container.encode(converting, forKey: .converting)
      try container.encode(waiting, forKey: .waiting)
    }
  }

  var lockspace: String
  var lockspaceID: UInt32
  var node: Int32
  /// new, stopped, recovering, running or failed.
  var state: String
  var generation: UInt32
  var members: [Int32]
  var resources: [Resource]
}

extension LockspaceDump {
  /// - Parameter numbers: by which the caller knows this node's locks.
  init(
    _ machine: LockspaceMachine, _ configuration: PeerConfiguration,
    numbers: [LockHandle: UInt64], at now: Timestamp
  ) {
    lockspace = "\(configuration.lockspace)"
    lockspaceID = LockspaceID(name: configuration.lockspace).rawValue
    node = configuration.node.rawValue
    state =
      switch machine.state {
      case .neverStarted: "new"
      case .stopped: "stopped"
      case .recovering: "recovering"
      case .running: "running"
      case .failed: "failed"
      }
    generation = machine.generation
    members = machine.members.map(\.rawValue)
    resources = machine.resourceDescriptions().map(Resource.init)
    let places = Dictionary(
      uniqueKeysWithValues: resources.enumerated().map { ($1.resourceHex, $0) })
    for lock in machine.lockDescriptions(at: now) {
      guard let place = places[Hexadecimal.text(lock.resource.bytes)] else { continue }
      let dumped = Lock(lock, numbers)
      switch lock.queue {
      case .granted: resources[place].granted.append(dumped)
      case .converting: resources[place].converting.append(dumped)
      case .waiting: resources[place].waiting.append(dumped)
      }
    }
  }
}

extension LockspaceDump.Resource {
  init(_ description: ResourceDescription) {
    let bytes = description.name.bytes
    resource = String(validating: bytes, as: UTF8.self) ?? "\(description.name)"
    resourceHex = Hexadecimal.text(bytes)
    directory = description.directory.rawValue
    master = description.master?.rawValue
    active = description.isActive
    lvb = description.valueBlock.map(Hexadecimal.text)
    lvbseq = description.lvbSequence
    valnotvalid = description.isValueNotValid
  }
}

extension LockspaceDump.Lock {
  init(_ description: LockDescription, _ numbers: [LockHandle: UInt64]) {
    lkid =
      if let handle = description.handle {
        numbers[handle] ?? 0
      } else {
        UInt64(description.remoteLockID.rawValue)
      }
    wireLkid = description.lockID.rawValue
    node = description.node.rawValue
    pid = description.processID
    mode = "\(description.granted)"
    requested = description.requested.map { "\($0)" }
    orphan = description.isOrphan
  }
}
