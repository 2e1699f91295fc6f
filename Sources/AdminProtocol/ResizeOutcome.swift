import ClusterTypes
import ConfigText

/// What an `lvextend` or `lvreduce` did.
public struct ResizeOutcome: Equatable, Sendable, ConfigRepresentable {
  /// How long a node's devices stood still.
  public struct Suspension: Equatable, Sendable, ConfigRepresentable {
    public var node: NodeID
    public var milliseconds: UInt64

    public init(node: NodeID, milliseconds: UInt64) {
      self.node = node
      self.milliseconds = milliseconds
    }

    init(fields: ConfigSection) throws(AdminDecodingError) {
      self.init(node: try fields.node("node"), milliseconds: try fields.number("suspended_ms"))
    }

    var fields: ConfigSection {
      var fields = ConfigSection()
      fields.add("node", node)
      fields.add("suspended_ms", milliseconds)
      return fields
    }
  }

  public var volumeGroup: String
  public var logicalVolume: String
  public var oldSizeBytes: UInt64
  public var newSizeBytes: UInt64
  public var oldExtents: UInt64
  public var newExtents: UInt64
  /// One element for each node that took part and lives.
  public var suspensions: [Suspension]
  /// Sentences about what went less than perfectly.
  public var warnings: [String]

  public init(
    volumeGroup: String, logicalVolume: String, oldSizeBytes: UInt64, newSizeBytes: UInt64,
    oldExtents: UInt64, newExtents: UInt64, suspensions: [Suspension], warnings: [String]
  ) {
    self.volumeGroup = volumeGroup
    self.logicalVolume = logicalVolume
    self.oldSizeBytes = oldSizeBytes
    self.newSizeBytes = newSizeBytes
    self.oldExtents = oldExtents
    self.newExtents = newExtents
    self.suspensions = suspensions
    self.warnings = warnings
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      volumeGroup: try fields.text("vg"), logicalVolume: try fields.text("lv"),
      oldSizeBytes: try fields.number("old_size"), newSizeBytes: try fields.number("new_size"),
      oldExtents: try fields.number("old_extents"), newExtents: try fields.number("new_extents"),
      suspensions: try fields.elements("nodes"), warnings: try fields.texts("warnings"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("vg", volumeGroup)
    fields.add("lv", logicalVolume)
    fields.add("old_size", oldSizeBytes)
    fields.add("new_size", newSizeBytes)
    fields.add("old_extents", oldExtents)
    fields.add("new_extents", newExtents)
    fields.add("nodes", suspensions)
    fields.add("warnings", warnings)
    return fields
  }
}

/// One mapped device of this node that belongs to LVM.
public struct MappedDeviceStatus: Equatable, Sendable, ConfigRepresentable {
  public var name: String
  public var uuid: String
  public var major: UInt32
  public var minor: UInt32
  public var openCount: UInt32
  public var isSuspended: Bool
  public var isReadOnly: Bool
  /// `START LENGTH TARGET PARAMETERS`, in 512-byte sectors, one for each line of the table.
  public var table: [String]
  /// The table that a resume would make live; empty when there is none.
  public var inactiveTable: [String]

  public init(
    name: String, uuid: String, major: UInt32, minor: UInt32, openCount: UInt32,
    isSuspended: Bool, isReadOnly: Bool, table: [String], inactiveTable: [String]
  ) {
    self.name = name
    self.uuid = uuid
    self.major = major
    self.minor = minor
    self.openCount = openCount
    self.isSuspended = isSuspended
    self.isReadOnly = isReadOnly
    self.table = table
    self.inactiveTable = inactiveTable
  }

  init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      name: try fields.text("name"), uuid: try fields.text("uuid"),
      major: try fields.number("major"), minor: try fields.number("minor"),
      openCount: try fields.number("open_count"), isSuspended: try fields.flag("suspended"),
      isReadOnly: try fields.flag("read_only"), table: try fields.texts("table"),
      inactiveTable: try fields.texts("inactive_table"))
  }

  var fields: ConfigSection {
    var fields = ConfigSection()
    fields.add("name", name)
    fields.add("uuid", uuid)
    fields.add("major", major)
    fields.add("minor", minor)
    fields.add("open_count", openCount)
    fields.add("suspended", isSuspended)
    fields.add("read_only", isReadOnly)
    fields.add("table", table)
    fields.add("inactive_table", inactiveTable)
    return fields
  }
}
