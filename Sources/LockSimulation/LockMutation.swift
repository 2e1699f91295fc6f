import LockManager

/// A deliberate fault in every lock manager of a run. The simulator must catch each.
public enum LockMutation: String, CaseIterable, Sendable {
  /// Every status answer says that everybody has come to the end.
  case skipsBarriers = "skips-barriers"
  /// Lock messages that come between stop and the end of recovery are lost.
  case dropsRequestQueue = "drops-request-queue"
  /// The machine is stopped only when it is to be started again.
  case ignoresStop = "ignores-stop"
  /// A node that came back is not counted among the departed.
  case ignoresDeparture = "ignores-departure"
  /// Conversions are sent to a new master as granted locks.
  case losesConversions = "loses-conversions"
  /// Waiting requests are not sent to a new master.
  case losesWaiters = "loses-waiters"
  case keepsDeadLocks = "keeps-dead-locks"
  case forgetsLostValue = "forgets-lost-value"
  case skipsGrantPass = "skips-grant-pass"
  case reusesLockIDs = "reuses-lock-ids"
  case hearsEarlierStays = "hears-earlier-stays"
  /// A request may overtake those that wait.
  case overtakes = "overtakes"
  /// A request for PR is taken for one for CR.
  case grantsTooMuch = "grants-too-much"
  /// Whoever looks a master up is told that it is the master itself.
  case namesTwoMasters = "names-two-masters"
  /// Nobody is told that a value block is not valid.
  case forgetsInvalidation = "forgets-invalidation"
  /// What an unlock or conversion brings along is not written.
  case forgetsWrite = "forgets-write"
  /// One blocking callback in three is not sent.
  case forgetsBlocking = "forgets-blocking"
  /// One grant of a waiting lock in five is not sent.
  case losesGrants = "loses-grants"
  /// One conversion to a weaker mode in four is not sent.
  case losesDownConversions = "loses-down-conversions"
  case losesCancels = "loses-cancels"
  case completesTwice = "completes-twice"
  case losesCompletions = "loses-completions"
  /// The reliability layer hands everything up twice.
  case deliversTwice = "delivers-twice"
  /// After a reconnect nothing is sent again.
  case forgetsRetransmission = "forgets-retransmission"

  /// The part that is made inside the machine; empty for those made at its boundary.
  var machineFault: MachineFaults {
    switch self {
    case .keepsDeadLocks: .keepsDeadLocks
    case .forgetsLostValue: .forgetsLostValue
    case .skipsGrantPass: .skipsGrantPass
    case .reusesLockIDs: .reusesLockIDs
    case .hearsEarlierStays: .hearsEarlierStays
    case .skipsBarriers, .dropsRequestQueue, .ignoresStop, .ignoresDeparture, .losesConversions,
      .losesWaiters, .overtakes, .grantsTooMuch, .namesTwoMasters, .forgetsInvalidation,
      .forgetsWrite, .forgetsBlocking, .losesGrants, .losesDownConversions, .losesCancels,
      .completesTwice, .losesCompletions, .deliversTwice, .forgetsRetransmission:
      []
    }
  }
}
