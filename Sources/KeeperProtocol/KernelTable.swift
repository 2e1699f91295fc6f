import ByteCoding
import ClusterTypes

/// What a daemon has written to the kernel, for the daemon after it (membership design, sections 9
/// and 18): without it nobody could say which lives of which nodes the kernel's lockspaces have as
/// members.
public struct KernelTable: Hashable, Sendable {
  public static let maximumNodes = 64
  public static let maximumSpaces = 96

  /// This node in the incarnation that owns the kernel's lockspaces; nil before the kernel knows it.
  public var local: NodeInstance?
  /// Which life of a node each `comms` directory was written for.
  public var comms: [NodeID: Incarnation]
  /// The last start of each lockspace, noted before it was written.
  public var spaces: [LockspaceName: StartedSpace]

  public init(
    local: NodeInstance? = nil, comms: [NodeID: Incarnation] = [:],
    spaces: [LockspaceName: StartedSpace] = [:]
  ) {
    self.local = local
    self.comms = comms
    self.spaces = spaces
  }
}

/// A lockspace as the kernel was started on it.
public struct StartedSpace: Hashable, Sendable {
  /// The last start that the kernel is known to have taken; 0 and empty before the first.
  public var generation: UInt64
  /// Ascending.
  public var members: [NodeInstance]
  /// The start that is being written: noted before the first write, gone after the last.
  public var next: Start?

  /// A start's generation and members.
  public struct Start: Hashable, Sendable {
    public var generation: UInt64
    public var members: [NodeInstance]

    public init(generation: UInt64, members: [NodeInstance]) {
      self.generation = generation
      self.members = members
    }
  }

  public init(generation: UInt64, members: [NodeInstance], next: Start? = nil) {
    self.generation = generation
    self.members = members
    self.next = next
  }
}

extension KernelTable {
  /// What a life that ended while it wrote a start has left, now that the kernel has been asked:
  /// `hasStarted` tells whether a stopped lockspace has begun to recover, which only the start does.
  ///
  /// Where it has, all of the start was written before. Where it has not, the nodes' entries of that
  /// start may have been written or not: they count as unknown, and the next start makes them anew,
  /// for nodes of which the kernel has not seen the new life yet.
  public mutating func settleStarts(hasStarted: (LockspaceName) throws -> Bool) rethrows {
    for (name, space) in spaces {
      guard let next = space.next else { continue }
      if try hasStarted(name) {
        spaces[name] = StartedSpace(generation: next.generation, members: next.members)
        for member in next.members { comms[member.node] = member.incarnation }
      } else {
        spaces[name]?.next = nil
        for member in next.members where comms[member.node] != member.incarnation {
          comms[member.node] = nil
        }
      }
    }
  }
}

extension ByteWriter {
  mutating func write(_ instance: NodeInstance) {
    write(instance.node.rawValue)
    write(instance.incarnation.rawValue)
  }

  mutating func write(_ table: KernelTable) {
    writeList(table.local.map { [$0] } ?? []) { $0.write($1) }
    writeList(table.comms.sorted { $0.key < $1.key }) {
      $0.write(NodeInstance($1.key, $1.value))
    }
    writeList(table.spaces.sorted { $0.key < $1.key }) { writer, space in
      writer.writeString(space.key.text)
      writer.write(space.value.generation)
      writer.writeList(space.value.members) { $0.write($1) }
      writer.writeList(space.value.next.map { [$0] } ?? []) { writer, start in
        writer.write(start.generation)
        writer.writeList(start.members) { $0.write($1) }
      }
    }
  }
}

extension ByteReader {
  mutating func readInstance() throws(ByteDecodingError) -> NodeInstance {
    guard let node = NodeID(try read(Int32.self)) else { throw .invalid("node id") }
    return NodeInstance(node, Incarnation(try read(UInt64.self)))
  }

  private mutating func readMembers() throws(ByteDecodingError) -> [NodeInstance] {
    try readList(limit: KernelTable.maximumNodes) { reader throws(ByteDecodingError) in
      try reader.readInstance()
    }
  }

  mutating func readTable() throws(ByteDecodingError) -> KernelTable {
    var table = KernelTable()
    table.local = try readList(limit: 1) { reader throws(ByteDecodingError) in
      try reader.readInstance()
    }.first
    for instance in try readList(
      limit: KernelTable.maximumNodes,
      { reader throws(ByteDecodingError) in try reader.readInstance() })
    {
      guard table.comms.updateValue(instance.incarnation, forKey: instance.node) == nil else {
        throw .invalid("node twice")
      }
    }
    let count = try read(UInt32.self)
    guard count <= KernelTable.maximumSpaces else { throw .invalid("number of lockspaces") }
    for _ in 0..<count {
      guard let name = LockspaceName(try readString(limit: LockspaceName.maximumLength)) else {
        throw .invalid("lockspace name")
      }
      var space = StartedSpace(
        generation: try read(UInt64.self), members: try readMembers())
      space.next = try readList(limit: 1) { reader throws(ByteDecodingError) in
        StartedSpace.Start(
          generation: try reader.read(UInt64.self), members: try reader.readMembers())
      }.first
      guard table.spaces.updateValue(space, forKey: name) == nil else {
        throw .invalid("lockspace twice")
      }
    }
    return table
  }
}
