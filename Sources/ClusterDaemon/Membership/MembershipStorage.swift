import ClusterMembership
import NIOCore
import NIOPosix

/// The disks that membership depends on, with a thread for each: the node's memory, and the quorum
/// disk where there is one. Either may hang; the loop goes on, and the node is a silent voter.
///
/// Everything here is called on the event loop, and completions are called there.
final class MembershipStorage {
  private let files: StateFiles
  private let disk: QuorumDisk?
  private let fileThread = NIOThreadPool(numberOfThreads: 1)
  private let diskThread = NIOThreadPool(numberOfThreads: 1)
  private var diskError: String?

  init(_ setup: MembershipSetup) {
    files = setup.files
    disk = setup.disk
    fileThread.start()
    if disk != nil { diskThread.start() }
  }

  /// What an administrator has to know about these disks.
  var waits: [String] {
    diskError.map { ["The quorum disk does not vote: \($0)."] } ?? []
  }

  func persist(
    _ state: PersistentState, on loop: any EventLoop,
    completion: @escaping ((any Error)?) -> Void
  ) {
    // From the moment a node has accepted a configuration, its nodes count.
    disk?.follow(state.accepted.record.configured)
    fileThread.runIfActive(eventLoop: loop) { [files] in try files.write(state) }
      .assumeIsolated().whenComplete { result in
        switch result {
        case .success: completion(nil)
        case .failure(let error): completion(error)
        }
      }
  }

  func run(
    _ round: DiskRound, on loop: any EventLoop, completion: @escaping (DiskRoundResult) -> Void
  ) {
    guard let disk else {
      diskError = "this node has none configured"
      return completion(.failed)
    }
    diskThread.runIfActive(eventLoop: loop) { try disk.run(round) }
      .assumeIsolated().whenComplete { [self] result in
        switch result {
        case .success(let reading):
          diskError = nil
          completion(reading)
        case .failure(let error):
          diskError = "\(error)"
          completion(.failed)
        }
      }
  }

  /// Advice to a node that was removed; that it cannot be written is no matter.
  func write(_ mail: DiskMail, on loop: any EventLoop) {
    guard let disk else { return }
    _ = diskThread.runIfActive(eventLoop: loop) { try disk.write(mail) }
  }

  /// Does not wait for a disk that hangs.
  func stop() {
    fileThread.shutdownGracefully { _ in }
    if disk != nil { diskThread.shutdownGracefully { _ in } }
  }
}
