import AdminProtocol
import ArgumentParser

/// Options of every command that speaks to the daemon.
struct DaemonOptions: ParsableArguments {
  @Option(name: .long, help: "The daemon's admin socket.")
  var socket = AdminClient.defaultSocketPath

  @Flag(name: .long, help: "Print JSON.")
  var json = false

  func connect() throws -> AdminClient {
    do {
      return try AdminClient(socketPath: socket)
    } catch {
      throw CommandFailure(error.description)
    }
  }

  /// The final reply; progress goes to standard error, and a failure is thrown.
  func perform(_ request: AdminRequest) throws -> AdminReply {
    var client = try connect()
    let reply: AdminReply
    do {
      reply = try client.perform(request) { notice in
        if case .progress(let text) = notice { Output.error("  " + text) }
      }
    } catch {
      throw CommandFailure(error.description)
    }
    if case .failed(let failure) = reply { throw CommandFailure(failure) }
    return reply
  }

  /// A reply that is none of those that answer the request.
  func unexpected(_ reply: AdminReply) -> CommandFailure {
    CommandFailure("clvmd gave an answer to another question: \(reply)")
  }
}
