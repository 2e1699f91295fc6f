import ClusterImport
import ConfigText
import Glibc
import KernelLockspaces

/// How a configuration gets at the cluster's name and nodes when another stack's file has them
/// (`cluster/nodes_from`), so that two stacks of one machine cannot see different nodes.
public struct OtherStackFiles: Sendable {
  private let read: @Sendable (String) throws(KernelControlError) -> [UInt8]
  private let resolve: @Sendable (String) -> [String]

  /// - Parameters:
  ///   - read: the content of a file.
  ///   - resolve: numeric addresses of a host name.
  public init(
    read: @escaping @Sendable (String) throws(KernelControlError) -> [UInt8] = {
      path throws(KernelControlError) in
      try HostKernelFiles().read(path)
    },
    resolve: @escaping @Sendable (String) -> [String] = HostNames.addresses
  ) {
    self.read = read
    self.resolve = resolve
  }

  /// Reads the file and explains it. Throws a problem whose place is `FILE:LINE`.
  public func imported(_ path: String) throws(ConfigurationProblem) -> ImportedCluster {
    do {
      return try ImportedCluster(parsing: try read(path), resolve: resolve)
    } catch let error as ImportError {
      throw ConfigurationProblem(
        severity: .error, place: "\(path):\(error.line)", message: error.problem)
    } catch {
      throw ConfigurationProblem(severity: .error, place: path, message: "\(error)")
    }
  }

  /// Puts the nodes that `cluster/nodes_from` points to where they would stand otherwise; and the
  /// cluster's name, unless there is one. Does nothing without that setting.
  func takeNodes(into section: inout ConfigSection) -> ConfigurationProblem? {
    let place = Settings.nodesFrom.path
    guard let path = section.string(place) else { return nil }
    guard section.content(Settings.nodes) == nil else {
      return ConfigurationProblem(
        severity: .error, place: place,
        message: "\(Settings.nodes) lists the nodes, too; one of the two must go")
    }
    do {
      let settings = try imported(path).settings
      if let nodes = settings.section("nodes") { section.set(Settings.nodes, nodes) }
      if section.content(Settings.clusterName.path) == nil, let name = settings.string("name") {
        section.set(Settings.clusterName.path, .string(name))
      }
      return nil
    } catch {
      return error
    }
  }
}

/// Host names as this machine knows them.
public enum HostNames {
  /// Numeric addresses, each once, in the resolver's order; none when the name is not known.
  public static func addresses(of name: String) -> [String] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(name, nil, &hints, &found) == 0 else { return [] }
    defer { freeaddrinfo(found) }
    var addresses: [String] = []
    var next = found
    while let entry = next?.pointee {
      next = entry.ai_next
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      guard
        getnameinfo(
          entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
          == 0
      else { continue }
      let address = String(
        decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      if !addresses.contains(address) { addresses.append(address) }
    }
    return addresses
  }
}
