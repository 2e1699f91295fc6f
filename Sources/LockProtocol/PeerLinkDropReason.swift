import ClusterTypes

extension PeerLink {
  /// Why something was dropped.
  public enum DropReason: Error, Hashable, Sendable {
    case malformed(FrameDecodingError)
    /// The peer has been heard to speak the other version.
    case versionChanged(ProtocolVersion)
    /// The packet says it comes from another node than the connection.
    case wrongSender(NodeID)
    /// A message that this version sends only with a number, or only without.
    case wrongPlace
    /// The node is neither a member nor has it asked for the status of a lockspace.
    case peerNotMember
    /// A finish message that the close state does not expect.
    case unexpectedFinish(CloseState)
    case acknowledgedUnsent(UInt32)
    /// A packet to a node that is leaving or has left.
    case peerLeaving(CloseState)
  }
}

extension PeerLink.DropReason: CustomStringConvertible {
  public var description: String {
    switch self {
    case .malformed(let error): "dropped \(error)"
    case .versionChanged(let version):
      "dropped a message of version \(version), because the node has spoken another before"
    case .wrongSender(let node): "dropped a packet that says it comes from node \(node)"
    case .wrongPlace: "dropped a packet that must be numbered and is not, or the other way round"
    case .peerNotMember: "dropped a message, because the node is no member of any lockspace here"
    case .unexpectedFinish(let state): "dropped a finish message in state \(state)"
    case .acknowledgedUnsent(let number):
      "dropped the acknowledgement of number \(number), which has not been sent"
    case .peerLeaving(let state): "did not send a packet, because the link is \(state)"
    }
  }
}
