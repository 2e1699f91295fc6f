import ClusterTypes
import ConfigText

/// What `clvm cluster` asks about the nodes' keys. All that matters is signed by the cluster's authority,
/// so that the daemons judge it and whoever asks needs no trust.
public enum KeyRequest: Equatable, Sendable {
  /// Which keys the nodes have and whom they believe.
  case states
  /// All nodes are to believe whom this signed list names; the lines of its text.
  case adopt(list: [String])
  /// The node is to make itself a new key; answered by a request for its certificate.
  case renew(NodeID)
  /// The node is to use the key that it made last, with this certificate; the lines of its PEM text.
  case install(NodeID, certificate: [String])
}

/// A node's keys, as it says itself.
public struct NodeKeyState: Equatable, Sendable, ConfigRepresentable {
  public var node: NodeID
  /// Of the list that says whom it believes; grows with every change.
  public var listNumber: UInt64
  /// Of its own key.
  public var fingerprint: String
  /// Of the authority that signed its key; empty when it believes that authority no more.
  public var authority: String

  public init(node: NodeID, listNumber: UInt64, fingerprint: String, authority: String) {
    self.node = node
    self.listNumber = listNumber
    self.fingerprint = fingerprint
    self.authority = authority
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      node: try fields.node("node"), listNumber: try fields.number("list"),
      fingerprint: try fields.text("key"), authority: try fields.text("authority"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("node", node)
    fields.add("list", listNumber)
    fields.add("key", fingerprint)
    fields.add("authority", authority)
    return fields
  }
}

extension KeyRequest {
  enum Name: String {
    case states
    case adopt
    case renew
    case install
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    switch try fields.choice("keys", of: Name.self) {
    case .states: self = .states
    case .adopt: self = .adopt(list: try fields.texts("lines"))
    case .renew: self = .renew(try fields.node("node"))
    case .install:
      self = .install(try fields.node("node"), certificate: try fields.texts("lines"))
    }
  }

  func add(to fields: inout ConfigSection) {
    func name(_ name: Name) { fields.add("keys", name.rawValue) }
    switch self {
    case .states: name(.states)
    case .adopt(let list):
      name(.adopt)
      fields.add("lines", list)
    case .renew(let node):
      name(.renew)
      fields.add("node", node)
    case .install(let node, let certificate):
      name(.install)
      fields.add("node", node)
      fields.add("lines", certificate)
    }
  }
}
