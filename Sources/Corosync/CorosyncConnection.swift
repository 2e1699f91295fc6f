import CCorosync
import ClusterMembership
import Glibc

/// One thing that corosync said, in its own numbers.
enum CorosyncNotice: Equatable {
  struct Process: Equatable {
    var node: UInt32
    var pid: UInt32
  }

  case members([Process])
  case ring(GroupRing)
  case message([UInt8], Process)
  case quorum(Bool, GroupRing)
}

/// The connection to corosync, with its errors as Swift's.
///
/// `@unchecked`: after `init` one thread uses it, that of `CorosyncGroup.run`.
final class CorosyncConnection: @unchecked Sendable {
  private static let tryAgain = Int32(COROSYNC_TRY_AGAIN)
  private static let pauseMicroseconds: UInt32 = 100_000
  private static let nodeLimit = 1024
  private static let nameBytes = 256

  private let group: OpaquePointer

  /// Waits `patience` for a corosync whose nodes are still finding together.
  init(patience: Duration) throws(CorosyncError) {
    var result: (group: OpaquePointer?, service: String) = (nil, "")
    let code = Self.retry(patience) {
      var error: Int32 = 0
      var service: UnsafePointer<CChar>?
      result.group = corosync_group_connect(&error, &service)
      result.service = service.map { String(cString: $0) } ?? ""
      return result.group == nil ? error : 0
    }
    guard let group = result.group else { throw .notRunning(service: result.service, code: code) }
    self.group = group
  }

  deinit { corosync_group_close(group) }

  private static func retry(_ patience: Duration, _ attempt: () -> Int32) -> Int32 {
    let end = ContinuousClock.now + patience
    var code = attempt()
    while code == tryAgain, ContinuousClock.now < end {
      usleep(pauseMicroseconds)
      code = attempt()
    }
    return code
  }

  var localNode: UInt32 { corosync_group_local_node(group) }
  var hasQuorum: Bool { corosync_group_has_quorum(group) != 0 }
  var descriptors: [Int32] {
    [corosync_group_membership_descriptor(group), corosync_group_quorum_descriptor(group)]
  }

  static func configuredNodes() throws(CorosyncError) -> [UInt32] {
    var ids = [UInt32](repeating: 0, count: nodeLimit)
    var count = 0
    let code = corosync_group_configured_nodes(&ids, ids.count, &count)
    guard code == 0 else { throw .failed(operation: "list its nodes", code: code) }
    return Array(ids.prefix(count))
  }

  static func clusterName() throws(CorosyncError) -> String {
    var bytes = [CChar](repeating: 0, count: nameBytes)
    let code = corosync_group_cluster_name(&bytes, bytes.count)
    guard code == 0 else { throw .failed(operation: "tell its cluster's name", code: code) }
    return String(
      decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func join(_ name: String, patience: Duration) throws(CorosyncError) {
    let code = Self.retry(patience) { corosync_group_join(group, name) }
    guard code == 0 else { throw .failed(operation: "let this process into its group", code: code) }
  }

  /// Whoever cannot leave is gone for the others when its process ends.
  func leave(_ name: String) { _ = corosync_group_leave(group, name) }

  /// False when corosync has no room at present.
  func multicast(_ bytes: [UInt8]) throws(CorosyncError) -> Bool {
    let code = bytes.withUnsafeBytes {
      corosync_group_multicast(group, $0.baseAddress, $0.count)
    }
    guard code == 0 || code == Self.tryAgain else {
      throw .failed(operation: "send a message of \(bytes.count) bytes", code: code)
    }
    return code == 0
  }

  /// Everything that has come, without waiting.
  func dispatch() throws(CorosyncError) -> [CorosyncNotice] {
    var notices: [CorosyncNotice] = []
    let code = withUnsafeMutablePointer(to: &notices) { context in
      var listener = corosync_listener(
        context: context,
        members: { context, processes, count in
          let list = UnsafeBufferPointer(start: processes, count: count)
          append(.members(list.map { .init(node: $0.node, pid: $0.pid) }), to: context)
        },
        ring: { context, representative, sequence in
          append(.ring(.init(representative: representative, sequence: sequence)), to: context)
        },
        message: { context, sender, bytes, length in
          let message = Array(UnsafeRawBufferPointer(start: bytes, count: length))
          append(.message(message, .init(node: sender.node, pid: sender.pid)), to: context)
        },
        quorum: { context, isQuorate, representative, sequence in
          let ring = GroupRing(representative: representative, sequence: sequence)
          append(.quorum(isQuorate != 0, ring), to: context)
        })
      return corosync_group_dispatch(group, &listener)
    }
    guard code == 0 else { throw .failed(operation: "go on", code: code) }
    return notices
  }
}

/// `context` is the list that `dispatch` fills.
private func append(_ notice: CorosyncNotice, to context: UnsafeMutableRawPointer?) {
  context?.assumingMemoryBound(to: [CorosyncNotice].self).pointee.append(notice)
}
