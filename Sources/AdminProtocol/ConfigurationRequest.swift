import ClusterTypes
import ConfigText

/// A change of what the cluster has decided about its nodes and their times.
public enum ConfigurationRequest: Equatable, Sendable {
  case add(NewNode)
  /// A node that has left, or whose death is proven.
  case remove(NodeID)
  /// What the clvmd.conf of the node that is asked says about times, fence levels and the quorum disk
  /// comes into force.
  case apply
}

/// A node that is to be added.
public struct NewNode: Equatable, Sendable {
  public var name: String
  /// Nil takes the smallest number that is free.
  public var id: NodeID?
  /// One or two numeric addresses.
  public var addresses: [String]
  public var isWitness: Bool

  public init(name: String, id: NodeID?, addresses: [String], isWitness: Bool = false) {
    self.name = name
    self.id = id
    self.addresses = addresses
    self.isWitness = isWitness
  }
}

extension ConfigurationRequest {
  enum Name: String {
    case add
    case remove
    case apply
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    switch try fields.choice("change", of: Name.self) {
    case .add:
      self = .add(
        NewNode(
          name: try fields.text("name"),
          id: try fields.optionalNumber("node", as: Int32.self).flatMap { NodeID($0) },
          addresses: try fields.texts("addresses"), isWitness: try fields.flag("witness")))
    case .remove: self = .remove(try fields.node("node"))
    case .apply: self = .apply
    }
  }

  func add(to fields: inout ConfigSection) {
    switch self {
    case .add(let node):
      fields.add("change", Name.add.rawValue)
      fields.add("name", node.name)
      if let id = node.id { fields.add("node", id) }
      fields.add("addresses", node.addresses)
      fields.add("witness", node.isWitness)
    case .remove(let node):
      fields.add("change", Name.remove.rawValue)
      fields.add("node", node)
    case .apply: fields.add("change", Name.apply.rawValue)
    }
  }
}
