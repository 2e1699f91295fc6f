import ClusterTypes

/// A request for one lock, on its way through a `LockResource`.
struct LockRequest: Equatable {
  enum Owner: Hashable {
    case client(ClientID)
    /// The daemon itself, which takes persistent locks up again after a restart.
    case daemon
    /// The daemon itself, for a change of several nodes; with the mode that the node held before.
    case change(VolumeLockID, previous: LockMode?)
  }

  enum Purpose: Equatable {
    case lock(LockMode)
    case unlock
    /// The LV is gone: give up what the client has and the cluster lock with it.
    case free
  }

  let owner: Owner
  let purpose: Purpose
  /// Owned by the node instead of the client.
  let isPersistent: Bool
  /// When to give up waiting for another node.
  var deadline: Timestamp?
  /// Who asks, for those who will wait for it: `lvchange[817]`.
  var label = ""
  /// The command; 0 for the daemon itself.
  var processID: Int32 = 0
  /// The client went away with the exclusive lock of the VG: its command may have ended in the middle of a
  /// change.
  var isWithdrawal = false
  /// The LV's name, where the command told it.
  var volume: String?
  var notice = Notice.none

  /// Telling the administrator for whom a request waits.
  enum Notice: Equatable {
    case none
    case due(Timestamp)
    case given
  }

  /// Limited in time are locks that a client waits for; whoever gives up a lock waits for the end.
  var isLimited: Bool {
    switch (owner, purpose) {
    case (.client, .lock), (.change, .lock): true
    case (.daemon, _), (_, .unlock), (_, .free): false
    }
  }
}

/// What to do with a request, as far as the locks held on this node decide it.
enum LockDecision: Equatable {
  case answer(LockDaemonResult, LockDaemonFlags = [])
  /// Give up what the owner has.
  case release
  /// Change the mode of what the owner has.
  case convert(to: LockMode)
  /// The client's transient lock becomes the node's persistent one.
  case makePersistent(LockMode)
  /// Give up taking a persistent lock up again: the LV was deactivated meanwhile.
  case abandonAdoption
  /// Nothing of ours: wait for the turn in the queue.
  case wait
}

/// How to take back a persistent lock whose reply could not be delivered.
struct PersistentLockUndo: Equatable {
  let previousMode: LockMode?
  /// The lock's change counter after the grant: a different one means that it was touched since.
  let changeCount: UInt64
}
