import AdminProtocol
import ByteCoding
import ClusterCredentials
import ClusterTransport
import ClusterTypes
import Logging
import NIOCore
import NIOPosix

/// Keeps the node's keys and whom it believes while the daemon runs: takes up what the cluster's authority
/// has signed, passes it on, and has connections use it. Nothing is restarted for that.
///
/// Whoever brings a list is not asked who he is: the authority's signature says that it is right, and its
/// number that it is newer. Confined to the cluster's event loop.
final class KeyService {
  private static let patience = TimeAmount.seconds(5)

  private let directory: KeyDirectory
  private let localNode: NodeID
  private let questions: NodeQuestions
  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let logger: Logger
  private var credential: NodeCredential
  /// In force, and on disk.
  private(set) var list: TrustList
  /// The newest that was taken up; it may be on its way to the disk.
  private var newest: TrustList
  /// Made when it was asked for, and without a certificate yet.
  private var nextKey: NodeKey?
  /// Files are written one after the other.
  private var writes: [(body: @Sendable () throws -> Void, completion: ((any Error)?) -> Void)] = []

  var otherNodes: () -> [NodeID] = { [] }
  /// Connections are to use these keys from now on; with the number of the list.
  var apply: (LinkSecurity, UInt64) -> Void = { _, _ in }

  init(
    keys: NodeKeys, questions: NodeQuestions, loop: any EventLoop, pool: NIOThreadPool,
    logger: Logger
  ) {
    directory = keys.directory
    credential = keys.credential
    localNode = keys.credential.identity.node
    list = keys.list
    newest = keys.list
    self.questions = questions
    self.loop = loop
    self.pool = pool
    self.logger = logger
  }

  // MARK: - What clvm asks

  func carryOut(_ request: KeyRequest, completion: @escaping (AdminReply) -> Void) {
    switch request {
    case .states: gatherStates(completion)
    case .adopt(let lines):
      adopt(Array((lines.joined(separator: "\n") + "\n").utf8)) { [self] answer in
        if case .failed(let reason) = answer { return completion(.failed(.init(.refused, reason))) }
        gatherStates(completion)
      }
    case .renew(let node):
      ask(.renewKey, [], of: node) { answer in
        guard case .request(let bytes) = answer else { return completion(answer.failure) }
        completion(.certificateRequest(bytes.map { $0.twoDigits }.joined()))
      }
    case .install(let node, let lines):
      let text = Array((lines.joined(separator: "\n") + "\n").utf8)
      ask(.installCertificate, text, of: node) { answer in
        guard case .state = answer else { return completion(answer.failure) }
        completion(.done)
      }
    }
  }

  /// Of one node, which may be this one.
  private func ask(
    _ subject: AdministrationMessage.Subject, _ payload: [UInt8], of node: NodeID,
    completion: @escaping (KeyAnswer) -> Void
  ) {
    if node == localNode { return answer(subject, payload, completion) }
    questions.ask(subject, payload: payload, of: [node], patience: Self.patience) { answers in
      completion(Self.decoded(answers[node]))
    }
  }

  private static func decoded(_ bytes: [UInt8]?) -> KeyAnswer {
    guard let bytes else { return .failed("the node does not answer") }
    do throws(ByteDecodingError) {
      return try KeyAnswer(decoding: bytes)
    } catch {
      return .failed("the node's answer is not understood: \(error)")
    }
  }

  private func gatherStates(_ completion: @escaping (AdminReply) -> Void) {
    let others = otherNodes()
    questions.ask(.keyState, of: others, patience: Self.patience) { [self] answers in
      var states = [ownState]
      var silent: [NodeID] = []
      for node in others {
        if case .state(let state) = Self.decoded(answers[node]), state.node == node {
          states.append(state)
        } else {
          silent.append(node)
        }
      }
      completion(.keyStates(states.sorted { $0.node < $1.node }, silentNodes: silent.sorted()))
    }
  }

  private var ownState: NodeKeyState {
    NodeKeyState(
      node: localNode, listNumber: list.number,
      fingerprint: credential.certificate.fingerprint.description,
      authority: list.keys.issuer(of: credential.certificate)?.fingerprint.description ?? "")
  }

  // MARK: - What other daemons ask

  func answer(
    _ subject: AdministrationMessage.Subject, _ payload: [UInt8],
    _ reply: @escaping (KeyAnswer) -> Void
  ) {
    switch subject {
    case .trustList: adopt(payload, reply)
    case .keyState: reply(.state(ownState))
    case .renewKey: renew(reply)
    case .installCertificate: install(payload, reply)
    case .clock, .facts: reply(.failed("this is no question about keys"))
    }
  }

  /// A node is connected whose list has this number: one that was off may have missed a newer one.
  func connected(_ node: NodeID, listNumber: UInt64) {
    if listNumber < list.number { pass(list, to: [node]) }
  }

  private func pass(_ list: TrustList, to nodes: [NodeID]) {
    do throws(CredentialError) {
      let text = Array(try list.text.utf8)
      questions.ask(.trustList, payload: text, of: nodes, patience: Self.patience) {
        [logger] answers in
        for (node, bytes) in answers {
          guard case .failed(let reason) = Self.decoded(bytes) else { continue }
          logger.error("node \(node) does not take list \(list.number) of believed keys: \(reason)")
        }
      }
    } catch {
      logger.error("\(error)")
    }
  }

  // MARK: - Whom this node believes

  private func adopt(_ text: [UInt8], _ reply: @escaping (KeyAnswer) -> Void) {
    let received: TrustList
    do throws(CredentialError) {
      received = try TrustList(text: String(decoding: text, as: UTF8.self))
      guard try received.replaces(newest) else { return reply(.state(ownState)) }
    } catch {
      logger.error("\(error)")
      return reply(.failed(error.description))
    }
    newest = received
    write { [directory] in
      try directory.store(received)
    } completion: { [self] error in
      if let error {
        newest = list
        return reply(.failed("it cannot be stored: \(error)"))
      }
      list = received
      logger.notice(
        """
        list \(received.number) of believed keys is in force: \(received.keys.authorities.count) \
        authorities, \(received.keys.revoked.count) withdrawn keys
        """)
      // Before connections of withdrawn keys end: their nodes should hear why.
      pass(received, to: otherNodes())
      if received.keys.revoked.contains(credential.certificate.fingerprint) {
        logger.critical(
          """
          the key of this node has been withdrawn: no other node talks to it. 'clvm cluster token' on \
          the authority's node and 'clvm cluster join --replace' here give it a new one
          """)
      }
      use()
      reply(.state(ownState))
    }
  }

  /// Connections use what is in force now.
  private func use() {
    do throws(CredentialError) {
      apply(try LinkSecurity(credential, trusted: list.keys), list.number)
    } catch {
      logger.critical("the node's keys cannot be used: \(error)")
    }
  }

  // MARK: - This node's key

  private func renew(_ reply: @escaping (KeyAnswer) -> Void) {
    let key = NodeKey()
    do throws(CredentialError) {
      let request = try key.certificateRequest()
      nextKey = key
      reply(.request(request))
    } catch {
      reply(.failed(error.description))
    }
  }

  private func install(_ text: [UInt8], _ reply: @escaping (KeyAnswer) -> Void) {
    let renewed: NodeCredential
    do throws(CredentialError) {
      guard let nextKey else { throw CredentialError("no new key waits for a certificate") }
      let certificate = try NodeCertificate(pem: String(decoding: text, as: UTF8.self))
      guard certificate.identity == credential.identity else {
        throw CredentialError("the certificate is that of \(certificate.identity)")
      }
      try list.keys.check(certificate)
      renewed = try NodeCredential(key: nextKey, certificate: certificate)
    } catch {
      return reply(.failed(error.description))
    }
    nextKey = nil
    write { [directory] in
      try directory.store(renewed)
    } completion: { [self] error in
      if let error { return reply(.failed("it cannot be stored: \(error)")) }
      credential = renewed
      logger.notice("this node has a new key, \(renewed.certificate.fingerprint)")
      use()
      reply(.state(ownState))
    }
  }

  // MARK: - Files

  private func write(
    _ body: @escaping @Sendable () throws -> Void, completion: @escaping ((any Error)?) -> Void
  ) {
    writes.append((body, completion))
    if writes.count == 1 { writeNext() }
  }

  private func writeNext() {
    guard let next = writes.first else { return }
    pool.runIfActive(eventLoop: loop, next.body).assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success: next.completion(nil)
      case .failure(let error): next.completion(error)
      }
      // Only now: what the completion adds waits for its turn.
      writes.removeFirst()
      writeNext()
    }
  }
}

extension KeyAnswer {
  fileprivate var failure: AdminReply {
    if case .failed(let reason) = self { return .failed(AdminFailure(.failed, reason)) }
    return .failed(AdminFailure(.failed, "the node has answered another question"))
  }
}

extension UInt8 {
  fileprivate var twoDigits: String { (self < 16 ? "0" : "") + String(self, radix: 16) }
}
