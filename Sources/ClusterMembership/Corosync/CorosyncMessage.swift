import ByteCoding
import ClusterTypes

/// What the nodes say to each other through corosync's process group. Every message is delivered to
/// all members, its sender included, in one order.
package enum CorosyncMessage: Hashable, Sendable {
  /// "In this configuration, which has quorum, this is who I am and where I stand."
  case standing(GroupStage, Member, ProviderMessage.Standing)
  /// "I have taken note of this view, which follows from the standings of this configuration."
  case noted(GroupStage, viewID: UInt64)
  case submit(viewID: UInt64, OrderRequest)
  /// "I have everything up to this place."
  case acknowledge(OrderedPlace)
  /// "Frames between daemons may have been lost in this view: let another one follow."
  case renew(viewID: UInt64)
  /// "This process does not answer, although corosync goes on there: go on without it."
  case expel(GroupProcess)
}

/// The configuration to which a standing belongs: those of another one do not count.
package struct GroupStage: Hashable, Sendable {
  var ring: GroupRing
  /// Ascending, without those that were expelled.
  var processes: [GroupProcess]
}

extension CorosyncMessage {
  private enum Kind: UInt8 {
    case standing = 1
    case noted, submit, acknowledge, renew, expel
  }

  package var encoded: [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .standing(let stage, let member, let standing):
      writer.write(Kind.standing.rawValue)
      writer.write(stage)
      writer.write(member)
      writer.write(standing)
    case .noted(let stage, let viewID):
      writer.write(Kind.noted.rawValue)
      writer.write(stage)
      writer.write(viewID)
    case .submit(let viewID, let request):
      writer.write(Kind.submit.rawValue)
      writer.write(viewID)
      writer.write(request)
    case .acknowledge(let place):
      writer.write(Kind.acknowledge.rawValue)
      writer.write(place)
    case .renew(let viewID):
      writer.write(Kind.renew.rawValue)
      writer.write(viewID)
    case .expel(let process):
      writer.write(Kind.expel.rawValue)
      writer.write(process)
    }
    return writer.bytes
  }

  package init(decoding bytes: [UInt8]) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    guard let kind = Kind(rawValue: try reader.read()) else {
      throw .invalid("unknown kind of membership message")
    }
    switch kind {
    case .standing:
      self = .standing(
        try reader.readStage(), try reader.readMember(), try reader.readStanding())
    case .noted: self = .noted(try reader.readStage(), viewID: try reader.readNumber())
    case .submit:
      self = .submit(viewID: try reader.readNumber(), try reader.readOrderRequest())
    case .acknowledge: self = .acknowledge(try reader.readPlace())
    case .renew: self = .renew(viewID: try reader.readNumber())
    case .expel: self = .expel(try reader.readProcess())
    }
    try reader.expectEnd()
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ process: GroupProcess) {
    write(process.node.rawValue)
    write(process.pid)
  }

  fileprivate mutating func write(_ stage: GroupStage) {
    write(stage.ring.representative)
    write(stage.ring.sequence)
    writeList(stage.processes) { $0.write($1) }
  }
}

extension ByteReader {
  fileprivate mutating func readProcess() throws(ByteDecodingError) -> GroupProcess {
    GroupProcess(node: try readNode(), pid: try read())
  }

  fileprivate mutating func readStage() throws(ByteDecodingError) -> GroupStage {
    GroupStage(
      ring: GroupRing(representative: try read(), sequence: try read()),
      processes: try readList(limit: ProviderLimits.nodes) { r throws(ByteDecodingError) in
        try r.readProcess()
      })
  }
}
