/// A cluster of one node, which needs no configuration file: nobody has to be fenced, no port is
/// opened, the kernel's lock manager is left alone.
public struct SingleNodeConfiguration: Sendable {
  /// Stands in the lock arguments of the volume groups that are made. As `cluster/name`.
  public var clusterName: String
  /// What LVM 2.02's commands call this node in their messages.
  public var nodeName = "localhost"
  /// Whether LVM 2.03's commands are served.
  public var servesLVMLockd = false
  /// Whether LVM 2.02's commands are served.
  public var servesClusterLocking = false
  public var logLevel = DaemonConfiguration.LogLevel.info
  // Absolute paths; nil takes the default of clvmd.conf.
  public var lvmlockdSocket: String?
  public var lvmlockdPidFile: String?
  public var adminSocket: String?
  public var stateDirectory: String?

  public init(clusterName: String) { self.clusterName = clusterName }

  /// Nobody is waited for but this node: the shortest heartbeat makes the shortest start.
  ///
  /// Goes through the text form, so that every setting that is not said has its default, and what is
  /// said is checked as an administrator's would be.
  public var check: ConfigurationCheck {
    let text = """
      cluster {
        name = \(Self.quoted(clusterName))
        node_id = 1
        nodes { \(nodeName) { id = 1 address = "127.0.0.1" } }
      }
      membership { provider = "external" allow_external = 1 heartbeat_interval_ms = 100 }
      kernel_lockspaces { enabled = 0 }
      lvmlockd {
        enabled = \(servesLVMLockd ? 1 : 0)
        \(Self.setting("socket", lvmlockdSocket))
        \(Self.setting("pid_file", lvmlockdPidFile))
      }
      cluster_locking { enabled = \(servesClusterLocking ? 1 : 0) }
      admin { \(Self.setting("socket", adminSocket)) }
      log { level = \(Self.quoted(logLevel.rawValue)) }
      \(Self.setting("state_directory", stateDirectory))
      """
    return DaemonConfiguration.check(Array(text.utf8), hostName: "localhost")
  }

  private static func setting(_ name: String, _ value: String?) -> String {
    value.map { "\(name) = \(quoted($0))" } ?? ""
  }

  private static func quoted(_ text: String) -> String {
    let escaped = text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
    return "\"\(escaped)\""
  }
}
