import AdminProtocol

/// The exit statuses of LVM's commands.
enum ExitStatus: Equatable {
  case success
  /// The command line is wrong.
  case invalidCommandLine
  case failed
  /// As another command left it.
  case other(Int32)

  var code: Int32 {
    switch self {
    case .success: 0
    case .invalidCommandLine: 3
    case .failed: 5
    case .other(let code): code
    }
  }
}

/// Ends the command with an exit status, after lines on standard error.
struct CommandFailure: Error {
  var status: ExitStatus
  var messages: [String]

  init(_ messages: String..., status: ExitStatus = .failed) {
    self.messages = messages
    self.status = status
  }

  init(_ messages: [String], status: ExitStatus = .failed) {
    self.messages = messages
    self.status = status
  }

  init(_ failure: AdminFailure) {
    switch failure.reason {
    case .invalidRequest: status = .invalidCommandLine
    case .notFound, .refused, .wouldBlock, .timedOut, .noQuorum, .failed: status = .failed
    }
    messages = [failure.message]
  }
}
