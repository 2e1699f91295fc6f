/// Why a control channel has ended.
public enum ControlDisconnection: Error, Hashable, Sendable {
  /// Nothing was heard for the configured time.
  case silent
  case closedByPeer
  case failed(String)
  /// The peer does not read what it is sent.
  case tooSlow
  /// A newer connection of the same node has taken its place.
  case replaced
  case malformed(String)
  /// The node is not configured any more, or has another address.
  case unconfigured
  /// Its key is not believed any more.
  case distrusted(String)
  case requested(String)
  case stopped
}

extension ControlDisconnection: CustomStringConvertible {
  public var description: String {
    switch self {
    case .silent: "nothing was heard from it"
    case .closedByPeer: "it closed the connection"
    case .failed(let reason): "the connection failed: \(reason)"
    case .tooSlow: "it does not read what it is sent"
    case .replaced: "it has made a new connection"
    case .malformed(let reason): "it sent what cannot be understood: \(reason)"
    case .unconfigured: "it is not configured any more"
    case .distrusted(let reason), .requested(let reason): reason
    case .stopped: "this daemon stops"
    }
  }
}
