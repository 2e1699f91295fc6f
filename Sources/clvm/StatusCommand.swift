import AdminProtocol
import ArgumentParser
import VolumeReports

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the cluster as this node sees it.")

  @OptionGroup var daemon: DaemonOptions

  func run() throws {
    let reply = try daemon.perform(.status)
    guard case .status(let status) = reply else { throw daemon.unexpected(reply) }
    if daemon.json {
      Output.json(status.json)
    } else {
      Output.lines(status.lines)
    }
  }
}

struct NodesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nodes", abstract: "List the cluster's nodes.")

  @OptionGroup var daemon: DaemonOptions

  func run() throws {
    let reply = try daemon.perform(.nodes)
    guard case .nodes(let nodes) = reply else { throw daemon.unexpected(reply) }
    if daemon.json {
      Output.json(.object([("nodes", .array(nodes.map(\.json)))]))
    } else {
      Output.lines(NodeStatus.table(nodes).lines())
    }
  }
}

struct LockspacesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lockspaces", abstract: "List the lockspaces that this node has joined.")

  @OptionGroup var daemon: DaemonOptions

  func run() throws {
    let reply = try daemon.perform(.lockspaces)
    guard case .lockspaces(let lockspaces) = reply else { throw daemon.unexpected(reply) }
    if daemon.json {
      Output.json(.object([("lockspaces", .array(lockspaces.map(\.json)))]))
    } else {
      Output.lines(LockspaceStatus.lines(lockspaces))
    }
  }
}

struct MappedDevicesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mapped-devices",
    abstract: "Show the device-mapper tables of this node's logical volumes.")

  @OptionGroup var daemon: DaemonOptions

  func run() throws {
    let reply = try daemon.perform(.mappedDevices)
    guard case .mappedDevices(let devices) = reply else { throw daemon.unexpected(reply) }
    if daemon.json {
      Output.json(.object([("devices", .array(devices.map(\.json)))]))
    } else {
      Output.lines(devices.flatMap(\.lines))
    }
  }
}
