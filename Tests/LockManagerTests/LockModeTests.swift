import LockProtocol
import Testing

@testable import LockManager

/// The tables of dlm-wire 8 and 9, written out as they stand there.
struct LockModeTests {
  private static let modes: [LockMode] = [.nl, .cr, .cw, .pr, .pw, .ex]

  @Test("Compatibility is the table of the specification")
  func compatibility() {
    let rows: [LockMode: String] = [
      .iv: "111111", .nl: "111111", .cr: "111110", .cw: "111000", .pr: "110100", .pw: "110000",
      .ex: "100000",
    ]
    for (granted, row) in rows {
      for (requested, expected) in zip(Self.modes, row) {
        #expect(
          granted.isCompatible(with: requested) == (expected == "1"), "\(granted) \(requested)")
        #expect(
          granted.isCompatible(with: requested) == requested.isCompatible(with: granted))
      }
    }
  }

  @Test("Who carries the value block is the table of the specification")
  func valueBlockTransfers() {
    let rows: [LockMode: String] = [
      .iv: "RRRRRR", .nl: "RRRRRR", .cr: "-RRRRR", .cw: "--RRRR", .pr: "---RRR", .pw: "WWWWWR",
      .ex: "WWWWWW",
    ]
    for (granted, row) in rows {
      for (requested, expected) in zip(Self.modes, row) {
        let letter: Character =
          switch granted.valueBlockTransfer(granting: requested) {
          case .read: "R"
          case .write: "W"
          case .nothing: "-"
          }
        #expect(letter == expected, "\(granted) to \(requested)")
      }
    }
  }

  @Test("QUECVT is allowed with the conversions of the specification")
  func queueConversions() {
    let allowed: [LockMode: [LockMode]] = [
      .nl: [.cr, .cw, .pr, .pw, .ex], .cr: [.cw, .pr, .pw, .ex], .cw: [.pr, .pw, .ex],
      .pr: [.cw, .pw, .ex], .pw: [.ex], .ex: [],
    ]
    for (granted, targets) in allowed {
      for requested in Self.modes {
        #expect(
          granted.allowsQueueConversion(to: requested) == targets.contains(requested),
          "\(granted) to \(requested)")
      }
    }
  }

  @Test("PR and CW are neither up nor down from each other")
  func downConversions() {
    #expect(LockMode.ex.isDownConversion(to: .pw))
    #expect(LockMode.pr.isDownConversion(to: .cr))
    #expect(!LockMode.pr.isDownConversion(to: .cw))
    #expect(!LockMode.cw.isDownConversion(to: .pr))
    #expect(!LockMode.ex.isDownConversion(to: .ex))
    #expect(!LockMode.nl.isDownConversion(to: .ex))
  }
}
