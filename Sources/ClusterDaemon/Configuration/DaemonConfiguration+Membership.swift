import ClusterMembership
import ConfigText

/// The section `membership`: who decides, and by which times.
extension DaemonConfiguration {
  /// Tables of times to start from; single times may differ.
  private enum Profile: String, CaseIterable {
    case standard = "default"
    /// For a network without long pauses.
    case lan

    var timers: MembershipTimers {
      switch self {
      case .standard: .standard
      case .lan: .lan
      }
    }
  }

  static func membership(_ reader: inout SettingsReader) -> Membership? {
    let named = reader.choice(Settings.provider, of: MembershipProvider.self)
    let isNamed = reader.has(Settings.provider)
    let allowExternal = reader.value(of: Settings.allowExternal)
    let profile = reader.choice(Settings.profile, of: Profile.self)
    let timers = profile.map { Self.timers($0.timers, &reader) }
    let external = externalTimes(&reader)
    let quorumDisk = reader.has(Settings.quorumDisk) ? reader.path(Settings.quorumDisk) : nil
    let fenceRace = reader.value(of: Settings.fenceRace)
    if isNamed, named == nil { return nil }
    let provider = named ?? (allowExternal == true ? .external : .embedded)
    switch provider {
    case .external where allowExternal == false:
      reader.error(
        Settings.allowExternal.path,
        "the provider 'external' takes an administrator's word that a failed node can no longer "
          + "write, and a wrong word destroys data; set it to 1 to accept that")
    case .external where !isNamed:
      reader.warning(
        Settings.provider.path,
        "it is missing, and 'external' is taken because that is allowed; the default is 'embedded'")
    case .embedded, .external, .corosync: break
    }
    refuseOthersSettings(provider, &reader)
    guard let timers, let external else { return nil }
    guard provider == .embedded else {
      return Membership(
        provider: provider, heartbeatInterval: external.heartbeat, silenceTimeout: external.silence)
    }
    for problem in timers.problems { reader.error("membership/timers", problem) }
    return Membership(
      provider: provider, heartbeatInterval: .milliseconds(timers.heartbeat),
      silenceTimeout: .milliseconds(timers.silence), timers: timers, quorumDisk: quorumDisk,
      fenceRace: fenceRace ?? false)
  }

  private static func timers(
    _ profile: MembershipTimers, _ reader: inout SettingsReader
  ) -> MembershipTimers {
    var timers = profile
    for (name, setting) in zip(MembershipTimers.names, Settings.timers) {
      guard let value = reader.number(setting, in: 0...86_400_000) else { continue }
      timers.set(name, to: UInt32(value))
    }
    return timers
  }

  private static func externalTimes(
    _ reader: inout SettingsReader
  ) -> (heartbeat: Duration, silence: Duration)? {
    let problemCount = reader.problems.count
    let heartbeat = reader.number(Settings.heartbeatInterval, in: 100...10_000) ?? 500
    let silence = reader.number(Settings.silenceTimeout, in: 300...600_000) ?? 3000
    guard reader.problems.count == problemCount else { return nil }
    if silence < 3 * heartbeat {
      reader.error(
        Settings.silenceTimeout.path,
        "\(silence) ms is less than three heartbeats of \(heartbeat) ms: one lost message would "
          + "look like a failed node")
    } else if silence < 1000 {
      reader.warning(
        Settings.silenceTimeout.path,
        "\(silence) ms is less than the pauses of a busy machine; healthy nodes may be removed")
    }
    return (.milliseconds(heartbeat), .milliseconds(silence))
  }

  private static func refuseOthersSettings(
    _ provider: MembershipProvider, _ reader: inout SettingsReader
  ) {
    switch provider {
    case .embedded:
      for setting in [Settings.heartbeatInterval, Settings.silenceTimeout]
      where reader.has(setting) {
        reader.error(
          setting.path,
          "it belongs to other providers; the embedded one has membership/profile and "
            + "membership/timers")
      }
    case .external, .corosync:
      let paths =
        Settings.timers.filter { reader.has($0) }.map(\.path)
        + [Settings.quorumDisk, Settings.profile].filter { reader.has($0) }.map(\.path)
        + [Settings.fenceRace].filter { reader.has($0) }.map(\.path)
      for path in paths {
        reader.error(path, "it belongs to the provider 'embedded', and this one is '\(provider)'")
      }
    }
  }

  /// What membership and the list of nodes must be for each other.
  func checkMembership(_ reader: inout SettingsReader) {
    guard membership.provider == .embedded else {
      for node in cluster.nodes where node.isWitness {
        reader.error(
          Settings.nodeRole.path(node: node.name),
          "a witness votes, and only the embedded provider counts votes")
      }
      if membership.provider == .corosync, !fencing.devices.isEmpty {
        reader.error(
          "fencing",
          "with the provider 'corosync' whoever fences nodes tells clvmd of it with 'clvm node "
            + "fenced', as clvmd(8) shows for pacemaker; devices are used by 'embedded' only")
      }
      return
    }
    for problem in clusterConfiguration.problems where !membership.timers.problems.contains(problem)
    {
      reader.error("membership", problem)
    }
    if cluster.nodes.allSatisfy(\.isWitness) {
      reader.error(Settings.nodes, "all nodes are witnesses: nobody would do anything")
    }
    let votes = clusterConfiguration.totalVotes
    if votes == 2, !membership.fenceRace {
      reader.warning(
        "membership",
        "of two votes both are needed: when one node fails the other stops. Give the cluster a "
          + "quorum_disk, or a third node with role = \"witness\"")
    } else if votes > 2, votes.isMultiple(of: 2), votes > 0 {
      reader.warning(
        "membership",
        "the cluster has \(votes) votes: of two halves neither goes on. A quorum_disk or a witness "
          + "would make them odd")
    }
    if stateDirectory == clusterDirectory {
      reader.error(
        Settings.clusterDirectory.path,
        "'\(clusterDirectory)' is already state_directory, which a reboot empties")
    }
  }
}
