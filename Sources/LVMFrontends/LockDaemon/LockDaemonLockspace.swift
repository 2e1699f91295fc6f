import ClusterTypes

/// A lockspace of this node: the global one, or that of a VG.
struct Lockspace {
  enum State: Equatable {
    /// Being joined; these clients asked for it and wait.
    case starting(askedBy: [ClientID])
    case started
    /// Being left; these clients wait for the end.
    case stopping(askedBy: [ClientID], isExplicit: Bool)
  }

  static let globalText = "lvm_global"
  private static let prefix = "lvm_"

  /// Nil for the global lockspace.
  let vg: String?
  let vgUUID: String?
  let lockArguments: String?
  var state: State
  /// No new locks: `kill_vg` came.
  var isKilled = false
  var resources: [ResourceName: LockResource] = [:]
  /// Nodes that failed to load the last change of the VG, with their reasons.
  var reloadFailures: [NodeID: String] = [:]
  /// Requests for the global lock that came while its lockspace was being left.
  var latecomers: [LockRequest] = []

  init(vg: String?, vgUUID: String? = nil, lockArguments: String? = nil, state: State) {
    self.vg = vg
    self.vgUUID = vgUUID
    self.lockArguments = lockArguments
    self.state = state
  }

  /// The name of a VG's lockspace, or nil when the VG's name is too long for one.
  ///
  /// A VG called `global` would share the global lock's lockspace.
  static func name(vg: String) -> LockspaceName? {
    vg == "global" ? nil : LockspaceName(prefix + vg)
  }

  var isStarting: Bool {
    if case .starting = state { true } else { false }
  }

  var isStopping: Bool {
    if case .stopping = state { true } else { false }
  }

  /// An LV of the VG is locked here, so that it may be active.
  var hasLogicalVolumeLocks: Bool {
    resources.values.contains { resource in
      switch resource.name {
      case .logicalVolume: resource.isHeldOrAdopted
      case .global, .volumeGroup: false
      }
    }
  }

  /// A client may be writing metadata, or has written some that the other nodes have not loaded.
  var isBeingChanged: Bool {
    guard let resource = resources[.volumeGroup] else { return false }
    switch resource.activity {
    case .settling, .reloading: return true
    case .none, .acquiring, .upgrading, .lowering, .loweringAgain:
      return resource.heldMode == .exclusive
    }
  }
}

/// Where a lock is.
struct ResourceAddress: Hashable {
  let lockspace: LockspaceName
  let resource: ResourceName
}
