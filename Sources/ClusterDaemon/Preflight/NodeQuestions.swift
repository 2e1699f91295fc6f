import ByteCoding
import ClusterTypes
import Logging
import NIOCore

/// Asks other daemons, with bounded patience, and answers them. A dead node costs the patience once.
///
/// Confined to the cluster's event loop.
final class NodeQuestions {
  typealias Answers = [NodeID: [UInt8]]

  private struct Question {
    var awaited: Set<NodeID>
    var answers: Answers
    let subject: AdministrationMessage.Subject
    let completion: (Answers) -> Void
    let timeout: Scheduled<Void>
  }

  private let loop: any EventLoop
  private let logger: Logger
  private var questions: [UInt64: Question] = [:]
  private var lastID: UInt64 = 0
  var send: ([UInt8], NodeID) -> Void = { _, _ in }
  /// Answers a question of another node, at once or later.
  var answer:
    (AdministrationMessage.Subject, _ payload: [UInt8], _ reply: @escaping ([UInt8]) -> Void) ->
      Void = { _, _, _ in }

  init(loop: any EventLoop, logger: Logger) {
    self.loop = loop
    self.logger = logger
  }

  /// - Parameter completion: gets the answers that came within `patience`.
  func ask(
    _ subject: AdministrationMessage.Subject, payload: [UInt8] = [],
    of nodes: some Collection<NodeID>, patience: TimeAmount, completion: @escaping (Answers) -> Void
  ) {
    guard !nodes.isEmpty else { return completion([:]) }
    lastID += 1
    let id = lastID
    let timeout = loop.assumeIsolated().scheduleTask(in: patience) { [self] in end(id) }
    questions[id] = Question(
      awaited: Set(nodes), answers: [:], subject: subject, completion: completion,
      timeout: timeout)
    let message = AdministrationMessage(.question, id: id, subject, payload: payload).encoded
    for node in nodes.sorted() { send(message, node) }
  }

  func received(_ bytes: ArraySlice<UInt8>, from sender: NodeID) {
    do throws(ByteDecodingError) {
      let message = try AdministrationMessage(decoding: bytes)
      switch message.kind {
      case .question:
        answer(message.subject, message.payload) { [self] payload in
          guard payload.count <= AdministrationMessage.maximumPayloadLength else {
            return logger.error("an answer of \(payload.count) bytes to node \(sender) is too long")
          }
          let answer = AdministrationMessage(
            .answer, id: message.id, message.subject, payload: payload)
          send(answer.encoded, sender)
        }
      case .answer: take(message, from: sender)
      }
    } catch {
      logger.error("node \(sender) asked what is not understood: \(error)")
    }
  }

  private func take(_ message: AdministrationMessage, from sender: NodeID) {
    guard questions[message.id]?.subject == message.subject,
      questions[message.id]?.awaited.remove(sender) != nil
    else { return }
    questions[message.id]?.answers[sender] = message.payload
    if questions[message.id]?.awaited.isEmpty == true { end(message.id) }
  }

  private func end(_ id: UInt64) {
    guard let question = questions.removeValue(forKey: id) else { return }
    question.timeout.cancel()
    question.completion(question.answers)
  }
}
