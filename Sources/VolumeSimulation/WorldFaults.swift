import ClusterTypes

// What goes wrong, and how it is put right.

extension VolumeWorld {
  func strike(_ planned: PlannedFault) {
    guard !isHealed, let id = NodeID(planned.node), let node = nodes[id], node.isRunning else {
      return
    }
    note("FAULT \(planned.fault.rawValue) on node \(id)")
    switch planned.fault {
    case .powerCut: powerDown(node)
    case .daemonKill: killDaemon(node)
    case .daemonRenewal:
      if run.hasRecord, !node.isRemoved { renewDaemon(node) } else { killDaemon(node) }
    case .shortStall:
      node.stalledUntil = now + .seconds(4)
      agenda.schedule(.unstall(id), after: .seconds(4))
    case .longStall:
      // What it does not do it will never do: the fence ends it.
      node.stalledUntil = now + .seconds(3600)
      node.isRemoved = true
      openDeaths.insert(node.instance)
      for other in nodes.values.sorted(by: { $0.id < $1.id })
      where other.isRunning && other.id != id {
        agenda.schedule(.removed(node.instance, at: other.instance), after: .seconds(5))
      }
      agenda.schedule(.powerOff(node.instance), after: .seconds(8))
      agenda.schedule(.fenced(node.instance), after: .milliseconds(8500))
    case .lostDisk:
      // The one that is empty hangs on the same cable.
      node.lostDisks = [1, 2]
      for index in node.lostDisks { node.kernel.blockDevices[SampleDisks.numbers[index]] = nil }
      node.isHampered = true
      hit(isCommitted ? .diskLostAfterCommit : .diskLostWhilePreparing)
    case .refusal:
      node.refusesNext = true
      node.isHampered = true
    case .refusals:
      node.refusesLoads = true
      node.isHampered = true
      agenda.schedule(.endRefusals(id), after: .seconds(25))
    case .writeError: node.failsNextWrite = true
    case .lateMessage: node.delaysNextMessage = true
    case .lostMessage: node.losesNextMessage = true
    case .echoes: node.echoes = true
    case .commandEnds:
      guard planned.node == 1, let command = commands.first, !command.isOver else { return }
      hit(.commandEnded)
      give(up: command)
    }
  }

  /// The administrator repairs what is broken: disks come back, volumes that fail are refreshed.
  func heal() {
    isHealed = true
    for id in nodes.keys.sorted() {
      guard let node = nodes[id] else { continue }
      node.lostDisks = []
      (node.refusesNext, node.refusesLoads, node.failsNextWrite) = (false, false, false)
      (node.delaysNextMessage, node.losesNextMessage, node.echoes) = (false, false, false)
      for number in SampleDisks.numbers {
        node.kernel.blockDevices[number] = SampleDisks.deviceSectors
      }
      guard node.isRunning else { continue }
      recoverLeftovers(on: node)
    }
    if hasTornHeader { repairHeaders() }
  }
}
