import ClusterTypes
import Fencing

/// The section `fencing`: devices, and which of them keep which node from writing.
extension DaemonConfiguration {
  /// The cluster's record counts levels in a byte, and nobody has more ways than this.
  static let fenceLevelsMax = 8
  /// A run of one level is killed after this in any case (membership design, section 2).
  static let agentTimeoutMilliseconds: Int64 = 60_000

  /// `nodes`: the cluster's, nil when they could not be read; then names are not compared.
  static func fencing(_ reader: inout SettingsReader, nodes: [Node]?) -> FenceTopology? {
    let powerOn = reader.value(of: Settings.powerOn)
    let aborts = reader.value(of: Settings.reservationsAbort)
    let names = reader.sectionNames(in: Settings.fenceDevices)
    let devices = names.compactMap { fenceDevice($0, nodes, &reader) }
    var levels: [String: [[String]]] = [:]
    for node in reader.sectionNames(in: Settings.fenceNodes) {
      guard let found = fenceLevels(of: node, devices: names, nodes, &reader) else { continue }
      levels[node] = found
    }
    checkFenceCoverage(names, levels, nodes, &reader)
    guard let powerOn, let aborts else { return nil }
    let ids = Dictionary((nodes ?? []).map { ($0.name, $0.id) }, uniquingKeysWith: { id, _ in id })
    let topology = FenceTopology(
      devices: devices, levels: levels, nodeIDs: ids, switchesOnAgain: powerOn,
      abortsReservations: aborts)
    checkReservations(topology, &reader)
    return topology
  }

  /// A node that keeps its key on one disk goes on writing to it.
  private static func checkReservations(_ topology: FenceTopology, _ reader: inout SettingsReader) {
    for node in topology.levels.keys.sorted() {
      for level in topology.reservationLevels(of: node) {
        let missing = topology.disksLeftOut(ofLevel: level, of: node)
        guard !missing.isEmpty else { continue }
        reader.error(
          Settings.fenceLevels.path(node: node),
          "level \(level) keeps the node from some disks only: add the devices with "
            + missing.joined(separator: ", "))
      }
    }
  }

  private static func fenceDevice(
    _ name: String, _ nodes: [Node]?, _ reader: inout SettingsReader
  ) -> FenceDevice? {
    let program = fenceProgram(name, &reader)
    let parameters = fenceParameters(name, &reader)
    let secrets = reader.value(of: Settings.fenceSecrets, node: name)
    if let secrets, !reader.isAbsolute(secrets) {
      reader.error(
        Settings.fenceSecrets.path(node: name), "'\(secrets)' is no absolute path")
    }
    let ports = fencePorts(name, nodes, &reader)
    let offAction = reader.choice(Settings.fenceOffAction, of: FenceOffAction.self, node: name)
    let timeout = reader.number(Settings.fenceTimeout, in: 1000...600_000, node: name)
    if let timeout, timeout > agentTimeoutMilliseconds {
      reader.warning(
        Settings.fenceTimeout.path(node: name),
        "\(timeout) ms is never reached: a fence attempt ends after "
          + "\(agentTimeoutMilliseconds) ms, and what still runs is killed")
    }
    let retries = reader.number(Settings.fenceRetries, in: 0...10, node: name)
    let delay = reader.number(Settings.fenceDelay, in: 0...30_000, node: name)
    let monitoring = reader.choice(
      Settings.fenceMonitor, of: FenceDevice.Monitoring.self, node: name)
    let interval = reader.number(Settings.fenceMonitorInterval, in: 10...86_400, node: name)
    guard let program, let parameters, let ports, let offAction, let timeout, let retries,
      let delay, let monitoring, let interval
    else { return nil }
    return FenceDevice(
      name: name, program: program, parameters: parameters, secretsFile: secrets, ports: ports,
      offAction: offAction.action, timeoutMilliseconds: UInt32(timeout), retries: Int(retries),
      delayMilliseconds: UInt32(delay), monitoring: monitoring,
      monitorIntervalMilliseconds: UInt32(interval * 1000))
  }

  private static func fenceProgram(
    _ name: String, _ reader: inout SettingsReader
  ) -> FenceDevice.Program? {
    let agent = reader.value(of: Settings.fenceAgent, node: name)
    let command = reader.value(of: Settings.fenceCommand, node: name)
    let disks = reader.value(of: Settings.fenceReservations, node: name)
    switch (agent, command, disks) {
    case (let agent?, nil, nil):
      let isPlainName = !agent.isEmpty && !agent.contains("/") && !agent.contains(" ")
      guard isPlainName || reader.isAbsolute(agent) else {
        reader.error(
          Settings.fenceAgent.path(node: name),
          "'\(agent)' is neither the name of a fence agent nor an absolute path")
        return nil
      }
      return .agent(agent)
    case (nil, let command?, nil): return fenceCommand(command, of: name, &reader)
    case (nil, nil, let disks?):
      guard !disks.isEmpty, disks.allSatisfy(reader.isAbsolute) else {
        reader.error(
          Settings.fenceReservations.path(node: name),
          "it is a list of the absolute paths of disks")
        return nil
      }
      return .reservations(disks)
    default:
      reader.error(
        "\(Settings.fenceDevices)/\(name)",
        "exactly one of 'agent', 'command' and 'reservations' is needed")
      return nil
    }
  }

  private static func fenceCommand(
    _ command: [String], of name: String, _ reader: inout SettingsReader
  ) -> FenceDevice.Program? {
    guard let program = command.first, reader.isAbsolute(program) else {
      reader.error(
        Settings.fenceCommand.path(node: name),
        "it begins with the absolute path of a program, as in "
          + "[ \"/usr/sbin/stonith_admin\", \"--fence\", \"%n\" ]")
      return nil
    }
    guard command.dropFirst().contains(where: { $0.contains("%n") || $0.contains("%i") }) else {
      reader.error(
        Settings.fenceCommand.path(node: name),
        "neither %n nor %i is in it, so it could not know which node is meant")
      return nil
    }
    return .command(command)
  }

  private static func fenceParameters(
    _ name: String, _ reader: inout SettingsReader
  ) -> [FenceParameter]? {
    guard let texts = reader.value(of: Settings.fenceParameters, node: name) else { return nil }
    let place = Settings.fenceParameters.path(node: name)
    var parameters: [FenceParameter] = []
    for text in texts {
      guard let equals = text.firstIndex(of: "=") else {
        reader.error(place, "'\(text)' is not of the form \"key=value\"")
        continue
      }
      let parameter = FenceParameter(
        String(text[..<equals]), String(text[text.index(after: equals)...]))
      if let problem = parameter.problem {
        reader.error(place, problem)
      } else if parameter.isSecret {
        reader.error(
          place,
          "'\(parameter.key)' does not belong into this file: write it into one that only root "
            + "can read, and name that in 'secrets'")
      } else {
        parameters.append(parameter)
      }
    }
    return parameters
  }

  private static func fencePorts(
    _ name: String, _ nodes: [Node]?, _ reader: inout SettingsReader
  ) -> [String: String]? {
    guard let texts = reader.value(of: Settings.fencePorts, node: name) else { return nil }
    let place = Settings.fencePorts.path(node: name)
    var ports: [String: String] = [:]
    for text in texts {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, FenceParameter("name", parts[1]).problem == nil else {
        reader.error(place, "'\(text)' is not of the form \"node=port\"")
        continue
      }
      if let nodes, !nodes.contains(where: { $0.name == parts[0] }) {
        reader.error(place, "'\(parts[0])' is no node of the cluster")
      }
      if ports.updateValue(parts[1], forKey: parts[0]) != nil {
        reader.error(place, "node '\(parts[0])' has two ports")
      }
    }
    return ports
  }

  private static func fenceLevels(
    of node: String, devices: [String], _ nodes: [Node]?, _ reader: inout SettingsReader
  ) -> [[String]]? {
    if let nodes, !nodes.contains(where: { $0.name == node }) {
      reader.error("\(Settings.fenceNodes)/\(node)", "'\(node)' is no node of the cluster")
    }
    guard let texts = reader.value(of: Settings.fenceLevels, node: node) else { return nil }
    let place = Settings.fenceLevels.path(node: node)
    if texts.isEmpty || texts.count > fenceLevelsMax {
      reader.error(place, "1 to \(fenceLevelsMax) levels are possible")
    }
    return texts.map { text in
      let names = text.split(separator: ",", omittingEmptySubsequences: false).map {
        String($0.trimming(" "))
      }
      for name in names where !devices.contains(name) {
        let hint = nearest(to: name, in: Set(devices)).map { "; did you mean '\($0)'?" } ?? ""
        reader.error(place, "'\(name)' is no device of \(Settings.fenceDevices)\(hint)")
      }
      if Set(names).count != names.count {
        reader.error(place, "a device is twice in the level \"\(text)\"")
      }
      return names
    }
  }

  /// A device that fences nobody, and a node that nobody fences, are probably mistakes.
  private static func checkFenceCoverage(
    _ devices: [String], _ levels: [String: [[String]]], _ nodes: [Node]?,
    _ reader: inout SettingsReader
  ) {
    for device in devices where !levels.values.contains(where: { $0.joined().contains(device) }) {
      reader.warning(
        "\(Settings.fenceDevices)/\(device)", "it is in no level of any node and never used")
    }
    guard !devices.isEmpty else { return }
    for node in nodes ?? [] where levels[node.name] == nil {
      reader.warning(
        Settings.fenceNodes, "node '\(node.name)' has no levels: no device can fence it")
    }
  }
}

private enum FenceOffAction: String, CaseIterable {
  case off, reboot

  var action: FenceAction {
    switch self {
    case .off: .off
    case .reboot: .reboot
    }
  }
}

extension Substring {
  fileprivate func trimming(_ character: Character) -> Substring {
    var text = drop { $0 == character }
    while text.last == character { text.removeLast() }
    return text
  }
}
