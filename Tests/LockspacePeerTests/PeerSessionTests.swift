import LockProtocol
import Testing

@testable import LockspacePeer

struct PeerSessionTests {
  private func table(_ count: Int32 = 2) throws -> PeerTable {
    var table = try PeerTable(count)
    try table.start()
    return table
  }

  @Test("A lock is answered with its id at once, and completed afterwards")
  func lock() throws {
    var table = try table()
    try table.say(#"{"id":5,"op":"lock","resource":"r","mode":"EX"}"#, to: 1)
    try table.settle()
    let news = try table.news(1)
    #expect(news == [.ok(5, lkid: 1), .completion(5, 1, 0, "EX")])
  }

  @Test("Value blocks are written by one node and read by the other")
  func valueBlock() throws {
    var table = try table()
    try table.say(
      #"{"id":1,"op":"lock","resource":"r","mode":"EX","flags":["VALBLK"]}"#, to: 1)
    try table.settle()
    try table.say(
      #"{"id":2,"op":"unlock","lkid":1,"flags":["VALBLK"],"lvb":"00fF10"}"#, to: 1)
    try table.settle()
    try table.say(
      #"{"id":1,"op":"lock","resource":"r","mode":"NL","flags":["VALBLK"]}"#, to: 2)
    try table.settle()
    let first = try table.news(1)
    #expect(first.last == .completion(2, 1, -65538, "IV"))
    let second = try table.news(2)
    #expect(second.last?.status == 0)
    #expect(second.last?.lvb?.count == 16)
  }

  @Test("The holder hears which mode it blocks, and the waiter gets it when it gives way")
  func blocking() throws {
    var table = try table()
    try table.say(#"{"id":1,"op":"lock","resource":"r","mode":"EX"}"#, to: 1)
    try table.settle()
    try table.say(#"{"id":2,"op":"lock","resource":"r","mode":"PR"}"#, to: 2)
    try table.settle()
    let notice = try table.news(1).last
    #expect(notice == .init(event: "blocking", lkid: 1, mode: "PR"))
    try table.say(#"{"id":3,"op":"convert","lkid":1,"mode":"NL"}"#, to: 1)
    try table.settle()
    let news = try table.news(2)
    #expect(news == [.ok(2, lkid: 1), .completion(2, 1, 0, "PR")])
  }

  @Test("A cancelled request ends under its own id, and so does one that is unlocked by force")
  func cancelAndForce() throws {
    var table = try table()
    try table.say(#"{"id":1,"op":"lock","resource":"r","mode":"EX"}"#, to: 1)
    try table.settle()
    try table.say(#"{"id":2,"op":"lock","resource":"r","mode":"EX"}"#, to: 2)
    try table.settle()
    try table.say(#"{"id":3,"op":"cancel","lkid":1}"#, to: 2)
    try table.settle()
    let cancelled = try table.news(2)
    #expect(cancelled == [.ok(2, lkid: 1), .ok(3), .completion(2, 1, -65537, "IV")])
    try table.say(#"{"id":4,"op":"lock","resource":"r","mode":"EX"}"#, to: 2)
    try table.settle()
    try table.say(#"{"id":5,"op":"unlock","lkid":2,"flags":["FORCEUNLOCK"]}"#, to: 2)
    try table.settle()
    let forced = try table.news(2)
    #expect(forced == [.ok(4, lkid: 2), .ok(5), .completion(4, 2, -65538, "IV")])
    try table.say(#"{"id":6,"op":"unlock","lkid":2}"#, to: 2)
    let gone = try table.news(2).last
    #expect(gone?.ok == false && gone?.status == -2)
  }

  @Test("A refused NOQUEUE request leaves no lock")
  func noQueue() throws {
    var table = try table()
    try table.say(#"{"id":1,"op":"lock","resource":"r","mode":"PR"}"#, to: 1)
    try table.settle()
    try table.say(
      #"{"id":2,"op":"lock","resource":"r","mode":"EX","flags":["NOQUEUE"]}"#, to: 2)
    try table.settle()
    let news = try table.news(2)
    #expect(news == [.ok(2, lkid: 1), .completion(2, 1, -11, "IV")])
  }

  @Test("Calls between stop and started are kept, and done in order")
  func heldCalls() throws {
    var table = try table(1)
    try table.say(#"{"id":1,"op":"lock","resource":"r","mode":"PR"}"#, to: 1)
    try table.settle()
    _ = try table.news(1)
    try table.say(#"{"id":2,"op":"stop"}"#, to: 1)
    try table.say(#"{"id":3,"op":"lock","resource":"q","mode":"EX"}"#, to: 1)
    try table.say(#"{"id":4,"op":"convert","lkid":1,"mode":"EX"}"#, to: 1)
    try table.say(#"{"id":5,"op":"convert","lkid":1,"mode":"NL","flags":["EXPEDITE"]}"#, to: 1)
    try table.say(#"{"id":6,"op":"convert","lkid":2,"mode":"NL"}"#, to: 1)
    try table.say(#"{"id":7,"op":"unlock","lkid":1}"#, to: 1)
    let before = try table.news(1)
    #expect(before == [.ok(2), .ok(3, lkid: 2), .ok(4), .ok(5), .ok(6), .ok(7)])
    try table.say(#"{"id":8,"op":"start","members":[1]}"#, to: 1)
    try table.settle()
    let after = try table.news(1)
    #expect(after.map(\.event) == [nil, "started"] + Array(repeating: "completion", count: 5))
    #expect(
      after.dropFirst(2) == [
        .completion(3, 2, 0, "EX"), .completion(4, 1, 0, "EX"), .completion(5, 1, -22, "EX"),
        .completion(6, 2, 0, "NL"), .completion(7, 1, -65538, "IV"),
      ])
  }

  @Test("Refusals name the kernel's errno")
  func refusals() throws {
    var table = try table(1)
    try table.say(#"{"id":1,"op":"lock","resource":"r","mode":"EX"}"#, to: 1)
    _ = try table.news(1)
    let refused: [(String, Int32)] = [
      (#"{"id":9,"op":"start","members":[1]}"#, -16),
      (#"{"id":9,"op":"convert","lkid":7,"mode":"EX"}"#, -2),
      (#"{"id":9,"op":"lock","resource":"r","mode":"EX","flags":["QUECVT"]}"#, -22),
      (#"{"id":9,"op":"lock","resource":"r","mode":"EX","flags":["ORPHAN"]}"#, -2),
      (#"{"id":9,"op":"unlock","lkid":1,"flags":["NOQUEUE"]}"#, -22),
      (#"{"id":9,"op":"unlock","lkid":1,"lvb":"000000000000000000"}"#, -22),
      (#"{"id":9,"op":"purge","node":4}"#, -2),
    ]
    for (line, status) in refused {
      try table.say(line, to: 1)
      let news = try table.news(1)
      #expect(news.count == 1 && news[0].ok == false && news[0].id == 9, "\(line)")
      #expect(news[0].status == status && news[0].error?.isEmpty == false, "\(line)")
    }
  }

  @Test("A start needs this node and knows only configured ones")
  func startMembers() throws {
    var table = try PeerTable(2)
    for members in ["[2]", "[1,3]", "[1,1]", "[0,1]", "[]"] {
      try table.say(#"{"id":1,"op":"start","members":\#(members)}"#, to: 1)
      let news = try table.news(1)
      #expect(news.map(\.ok) == [false], "\(members)")
    }
    try table.say(#"{"id":1,"op":"start","members":[1,2],"weights":{"3":1}}"#, to: 1)
    #expect(try table.news(1).map(\.ok) == [false])
  }

  @Test("An orphan is adopted with the ORPHAN flag, or purged")
  func orphans() throws {
    var table = try table(1)
    for name in ["a", "b"] {
      try table.say(
        #"{"id":1,"op":"lock","resource":"\#(name)","mode":"PR","flags":["PERSISTENT"],"pid":7}"#,
        to: 1)
    }
    try table.say(#"{"id":2,"op":"abandon","lkid":1}"#, to: 1)
    try table.say(#"{"id":3,"op":"abandon","lkid":2}"#, to: 1)
    _ = try table.news(1)
    try table.say(
      #"{"id":4,"op":"lock","resource":"a","mode":"PR","flags":["ORPHAN"]}"#, to: 1)
    let adopted = try table.news(1)
    #expect(adopted == [.ok(4, lkid: 3), .completion(4, 3, 0, "PR")])
    try table.say(#"{"id":5,"op":"purge","node":1,"pid":7}"#, to: 1)
    try table.say(#"{"id":6,"op":"dump"}"#, to: 1)
    let dump = try table.news(1).last
    #expect(dump?.resources?.flatMap(\.granted).map(\.lkid) == [3])
  }

  @Test("A dump shows masters, queues and value blocks, also of names that are no text")
  func dump() throws {
    var table = try table(1)
    try table.say(
      #"{"id":1,"op":"lock","resource_hex":"4d00ff","mode":"EX","flags":["VALBLK"]}"#, to: 1)
    try table.say(#"{"id":2,"op":"lock","resource_hex":"4d00ff","mode":"PR"}"#, to: 1)
    try table.say(
      #"{"id":3,"op":"convert","lkid":1,"mode":"PW","flags":["VALBLK"],"lvb":"01"}"#, to: 1)
    _ = try table.news(1)
    try table.say(#"{"id":4,"op":"dump"}"#, to: 1)
    let dump = try #require(try table.news(1).first)
    #expect(dump.ok == true && dump.id == 4 && dump.state == "running")
    let resource = try #require(dump.resources?.first)
    #expect(resource.resource == "M\\x00\\xff" && resource.resourceHex == "4d00ff")
    #expect(resource.master == 1 && resource.lvb == "0100000000000000")
    #expect(resource.granted.map(\.mode) == ["PW"])
    #expect(resource.waiting == [.init(lkid: 2, node: 1, pid: 101, mode: "IV", requested: "PR")])
  }

  @Test("Leaving ends all calls; afterwards only a start is accepted")
  func leave() throws {
    var table = try table()
    try table.say(#"{"id":1,"op":"lock","resource":"r","mode":"EX"}"#, to: 1)
    try table.settle()
    try table.say(#"{"id":2,"op":"lock","resource":"r","mode":"EX"}"#, to: 2)
    try table.settle()
    _ = try table.news(2)
    try table.say(#"{"id":3,"op":"leave"}"#, to: 2)
    let news = try table.news(2)
    #expect(news == [.ok(3), .completion(2, 1, -108, "IV")])
    #expect(table.seats[PeerTable.node(2)]?.partners == [PeerTable.node(1)])
    try table.say(#"{"id":4,"op":"dump"}"#, to: 2)
    #expect(try table.news(2).map(\.status) == [-107])
    table.seats[PeerTable.node(2)]?.session.parted(silent: [])
    #expect(try table.news(2).map(\.event) == ["left"])
    try table.say(#"{"id":5,"op":"stop"}"#, to: 1)
    try table.start()
  }

  @Test("A node that is missing in the next start is gone with its locks")
  func missingMember() throws {
    var table = try table(3)
    try table.say(#"{"id":1,"op":"lock","resource":"r","mode":"EX"}"#, to: 3)
    try table.settle()
    try table.say(#"{"id":2,"op":"lock","resource":"r","mode":"EX"}"#, to: 1)
    try table.settle()
    table.seats[PeerTable.node(3)] = nil
    for node in [Int32(1), 2] { try table.say(#"{"id":3,"op":"stop"}"#, to: node) }
    for node in [Int32(1), 2] {
      try table.say(#"{"id":4,"op":"start","members":[1,2]}"#, to: node)
    }
    try table.settle()
    let news = try table.news(1)
    #expect(news.suffix(2).map(\.event) == ["started", "completion"])
    #expect(news.last == .completion(2, 1, 0, "EX"))
  }

  @Test("End of input without leave is an error")
  func inputEnded() throws {
    var table = try table(1)
    table.seats[PeerTable.node(1)]?.session.inputEnded()
    #expect(try table.news(1).map(\.event) == ["error"])
  }
}
