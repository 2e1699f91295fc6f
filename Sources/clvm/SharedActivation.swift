import AdminProtocol
import ArgumentParser
import LVMMetadata
import VolumeReports

/// What `lvchange` and `vgchange` ask of the daemon: activations in volume groups that the cluster has
/// started.
struct SharedActivation {
  private let command: String
  private let arguments: ActivationArguments
  /// Groups that the daemon has started.
  private let started: Set<String>
  /// By group, in the order of the command line; no names stand for all volumes.
  private var wanted: [(group: String, volumes: [String])] = []

  init(_ command: String, _ arguments: ActivationArguments) throws {
    self.command = command
    self.arguments = arguments
    if arguments.devices.isGiven {
      guard arguments.nodes == nil else {
        throw ValidationError(
          "--nodes is for volume groups that the cluster shares, --devices is not.")
      }
      started = []
    } else if arguments.nodes != nil {
      guard case .status(let status) = try arguments.daemon.perform(.status) else {
        throw CommandFailure("clvmd does not tell its status.")
      }
      started = Set(status.volumeGroups.map(\.name))
    } else if var client = try? AdminClient(socketPath: arguments.daemon.socket),
      case .status(let status)? = try? client.perform(.status)
    {
      started = Set(status.volumeGroups.map(\.name))
    } else {
      started = []
    }
  }

  var isWanted: Bool { !wanted.isEmpty }

  /// Takes what is the daemon's and returns the rest.
  mutating func take(_ names: [String]) throws -> [String] {
    var rest: [String] = []
    for name in names {
      let group: String
      var volumes: [String] = []
      if let whole = VolumePath.volumeGroup(name) {
        group = whole
      } else {
        let (parsed, volume) = try VolumePath.parse(name)
        (group, volumes) = (parsed, [volume])
      }
      guard started.contains(group) else {
        guard arguments.nodes == nil else {
          throw CommandFailure(
            "Volume group \"\(group)\" is not started on this node. Start it with: "
              + "vgchange --lockstart \(group)")
        }
        rest.append(name)
        continue
      }
      if let index = wanted.firstIndex(where: { $0.group == group }) {
        let isWhole = volumes.isEmpty || wanted[index].volumes.isEmpty
        wanted[index].volumes = isWhole ? [] : wanted[index].volumes + volumes
      } else {
        wanted.append((group, volumes))
      }
    }
    return rest
  }

  /// Takes every group that is started here.
  mutating func takeAll() throws -> [String] { try take(started.sorted()) }

  /// Has the daemon do what was taken, one group after the other, and goes on over failures.
  func carryOut() throws {
    let (action, isAutomatic) = try arguments.sharedAction()
    guard arguments.activationmode == ActivationArguments.defaultMode || wanted.isEmpty else {
      throw ValidationError("--activationmode is not for volume groups that the cluster shares.")
    }
    var failure = CommandFailure()
    var outcomes: [VolumeActivationOutcome] = []
    for (group, volumes) in wanted {
      do {
        let reply = try arguments.daemon.perform(
          .activation(
            VolumeActivationRequest(
              command: command, action: action, volumeGroup: group, logicalVolumes: volumes,
              nodes: requestedNodes, isAutomatic: isAutomatic,
              ignoresActivationSkip: arguments.ignoreactivationskip)))
        guard case .activated(let outcome) = reply else { throw arguments.daemon.unexpected(reply) }
        outcomes.append(outcome)
      } catch let error as CommandFailure {
        failure.messages += error.messages
        failure.status = error.status
      }
    }
    show(outcomes)
    guard failure.messages.isEmpty else { throw failure }
  }

  private var requestedNodes: VolumeActivationRequest.Nodes {
    switch arguments.nodes {
    case nil: .local
    case "all"?: .all
    case let names?: .named(names.split(separator: ",").map(String.init))
    }
  }

  private func show(_ outcomes: [VolumeActivationOutcome]) {
    for warning in outcomes.flatMap(\.warnings) { Output.error("  WARNING: \(warning)") }
    if arguments.daemon.json {
      Output.json(.array(outcomes.map(\.json)))
    } else if command == "vgchange", arguments.activate != nil {
      for outcome in outcomes { Output.line("  " + outcome.line) }
    }
  }
}

extension VolumeActivationOutcome {
  /// As LVM ends, and on which nodes.
  fileprivate var line: String {
    let count = action == .deactivate ? 0 : logicalVolumes.count
    let places = nodes.map(\.description).joined(separator: ", ")
    return "\(count) logical volume(s) in volume group \"\(volumeGroup)\" now active on node"
      + "\(nodes.count == 1 ? "" : "s") \(places)"
  }

  fileprivate var json: JSONValue {
    .object([
      ("vg_name", .string(volumeGroup)), ("action", .string(action.rawValue)),
      ("lvs", .array(logicalVolumes.map { .string($0) })),
      ("nodes", .array(nodes.map(\.json))),
      ("warnings", .array(warnings.map { .string($0) })),
    ])
  }
}
