import ClusterTypes
import ConfigText

extension NodeFacts {
  /// As it travels between daemons.
  public func encode() -> [UInt8] {
    var fields = fields
    fields.add("version", AdminRequest.version)
    return fields.text(style: .raw)
  }

  /// Reads what `encode` wrote, or throws.
  public init(decoding bytes: [UInt8]) throws(AdminDecodingError) {
    try self.init(fields: ConfigSection(message: bytes, limit: AdminFraming.replyLengthMaximum))
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      node: try fields.node("node"), release: try fields.text("release"),
      kernel: try fields.text("kernel"), hostName: try fields.text("host_name"),
      clusterName: try fields.text("cluster"), clusterID: try fields.optionalText("cluster_id"),
      commonSettings: try fields.texts("common_settings"), nodes: try fields.elements("nodes"),
      ownAddresses: try fields.texts("own_addresses"), links: try fields.elements("links"),
      wallClock: try fields.number("wall_clock"), physicalVolumes: try fields.elements("pvs"),
      diskFailure: try fields.optionalText("disk_failure"),
      fenceDevices: try fields.elements("fence_devices"),
      watchdogs: try fields.elements("watchdogs"),
      usesLVMLockd: fields.content("use_lvmlockd") == nil ? nil : try fields.flag("use_lvmlockd"),
      lockingType: try fields.optionalNumber("locking_type"),
      foreignStacks: try fields.texts("foreign_stacks"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("node", node)
    fields.add("release", release)
    fields.add("kernel", kernel)
    fields.add("host_name", hostName)
    fields.add("cluster", clusterName)
    fields.add("cluster_id", clusterID)
    fields.add("common_settings", commonSettings)
    fields.add("nodes", nodes)
    fields.add("own_addresses", ownAddresses)
    fields.add("links", links)
    fields.add("wall_clock", wallClock)
    fields.add("pvs", Array(physicalVolumes.prefix(Self.maximumItemCount)))
    fields.add("disk_failure", diskFailure)
    fields.add("fence_devices", fenceDevices)
    fields.add("watchdogs", watchdogs)
    if let usesLVMLockd { fields.add("use_lvmlockd", usesLVMLockd) }
    if let lockingType { fields.add("locking_type", lockingType) }
    fields.add("foreign_stacks", foreignStacks)
    return fields
  }
}

extension NodeFacts.ConfiguredNode {
  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      node: try fields.node("node"), name: try fields.text("name"),
      addresses: try fields.texts("addresses"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("node", node)
    fields.add("name", name)
    fields.add("addresses", addresses)
    return fields
  }
}

extension NodeFacts.Link {
  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      node: try fields.node("node"), from: try fields.text("from"), to: try fields.text("to"),
      failure: try fields.optionalText("failure"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("node", node)
    fields.add("from", from)
    fields.add("to", to)
    fields.add("failure", failure)
    return fields
  }
}

extension NodeFacts.FenceDevice {
  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      name: try fields.text("name"), agent: try fields.text("agent"),
      failure: try fields.optionalText("failure"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("name", name)
    fields.add("agent", agent)
    fields.add("failure", failure)
    return fields
  }
}

extension NodeFacts.PhysicalVolume {
  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      id: try fields.text("id"), device: try fields.text("device"),
      volumeGroup: try fields.text("vg"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("id", id)
    fields.add("device", device)
    fields.add("vg", volumeGroup)
    return fields
  }
}

extension NodeFacts.Watchdog {
  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(device: try fields.text("device"), identity: try fields.text("identity"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("device", device)
    fields.add("identity", identity)
    return fields
  }
}

extension ClusterFacts {
  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      local: try fields.node("local"), facts: try fields.elements("facts"),
      silentNodes: try fields.nodeList("silent_nodes"),
      clockRates: try fields.elements("clock_rates"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("local", local)
    fields.add("facts", facts)
    fields.add("silent_nodes", silentNodes)
    fields.add("clock_rates", clockRates)
    return fields
  }
}

extension ClusterFacts.ClockRate {
  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      node: try fields.node("node"), partsPerMillion: try fields.number("ppm"),
      uncertainty: try fields.number("uncertainty"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("node", node)
    fields.add("ppm", partsPerMillion)
    fields.add("uncertainty", uncertainty)
    return fields
  }
}
