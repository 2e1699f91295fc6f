import Fuzzing

/// Every target of `clvm-fuzz`. To add one: write it in a file of its own, name it here.
public let allTargets: [FuzzTarget] = [
  .lockFrames,
  .membershipMessages,
  .externalProviderMessages,
  .corosyncMessages,
  .corosyncProvider,
  .peerLink,
  .metadataDevice,
  .metadataText,
  .configText,
  .deviceFilter,
  .lockspaceMachine,
  .lockDaemonRequests,
  .clusterLockingRequests,
  .o2cbConfiguration,
  .corosyncConfiguration,
  .posixLocks,
]
