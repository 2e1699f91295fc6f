import Logging

/// The connections of a server by client, at the most so many.
struct ClientTable<Connection> {
  private let path: String
  private let countMax: Int
  private var connections: [ClientID: Connection] = [:]
  private var lastClient: UInt64 = 0

  /// - Parameter path: the socket's, for the log.
  init(path: String, countMax: Int) {
    self.path = path
    self.countMax = countMax
  }

  subscript(client: ClientID) -> Connection? { connections[client] }

  /// In the order in which they came.
  var inOrder: [Connection] {
    connections.sorted { $0.key < $1.key }.map(\.value)
  }

  /// The new client's number; nil when there are too many already.
  mutating func admit(_ connection: Connection, _ logger: Logger) -> ClientID? {
    guard connections.count < countMax else {
      logger.error("too many clients", metadata: ["path": "\(path)", "limit": "\(countMax)"])
      return nil
    }
    lastClient += 1
    let client = ClientID(lastClient)
    connections[client] = connection
    return client
  }

  /// Whether it was there.
  mutating func remove(_ client: ClientID) -> Bool {
    connections.removeValue(forKey: client) != nil
  }
}
