import Fuzzing
import LVMFrontends

extension FuzzTarget {
  /// Requests of LVM 2.02 on clvmd's socket.
  public static let clusterLockingRequests = FuzzTarget(
    name: "clvmd-requests",
    summary: "a request decodes or is refused, and in pieces as it does whole",
    corpusFolder: "Fixtures/clvmd",
    dictionary: [
      [30], [31], [50], [51], [52], [0x83, 0x04], [0xFF, 0xFF, 0xFF, 0x7F], [0x41, 0x1F],
    ],
    seeds: { file in
      file.name.hasSuffix(".jsonl")
        ? Recordings.hexadecimalMessages(in: file.contents, after: "\"hex\":\"") : []
    },
    run: { input throws(FuzzFailure) in
      let whole = outcome(of: [input[...]])
      let pieces = outcome(of: input.indices.map { input[$0...$0] })
      // How much may be missing is counted from the first piece.
      if case .refused(.tooLarge) = whole { return 1 }
      if case .refused(.tooLarge) = pieces { return 2 }
      guard whole == pieces else { throw FuzzFailure("whole: \(whole), in pieces: \(pieces)") }
      var digest = ResultDigest()
      switch whole {
      case .incomplete: digest.add(3)
      case .refused(let error): digest.add("\(error)".utf8.count << 8 + 4)
      case .request(let request): digest.add("\(request)".utf8.count << 8 + 5)
      }
      return digest.value
    })

  private enum Outcome: Equatable {
    case incomplete
    case request(ClusterLockingRequest)
    case refused(ClusterLockingRequestError)
  }

  private static func outcome(of pieces: [ArraySlice<UInt8>]) -> Outcome {
    var buffer = ClusterLockingRequestBuffer()
    for piece in pieces {
      do throws(ClusterLockingRequestError) {
        if let request = try buffer.append(piece) { return .request(request) }
      } catch {
        return .refused(error)
      }
    }
    return .incomplete
  }
}
