import ClusterTypes
import ConfigText
import LVMMetadata

/// What `clvm` asks of the daemon on its node. One request a connection; then replies come until
/// one is final, and a lock is held until the connection closes.
public enum AdminRequest: Equatable, Sendable {
  case status
  case nodes
  case lockspaces
  /// `lockspace`: nil for all.
  case locks(lockspace: LockspaceName?, onlyWaiting: Bool)
  /// POSIX locks of cluster filesystems; `lockspace`: nil for all that this node has mounted.
  case posixLocks(lockspace: LockspaceName?, onlyWaiting: Bool)
  case lock(LockRequest)
  /// The administrator, or the authority that is named, vouches that the node does not act any more.
  case nodeFenced(NodeID, by: String? = nil)
  case resize(ResizeRequest)
  case activation(VolumeActivationRequest)
  /// One of LVM's command lines about a shared volume group.
  case volumeCommand(VolumeCommandRequest)
  /// The mapped devices of this node that belong to LVM.
  case mappedDevices
  /// What all nodes find out about themselves, for the check of the cluster.
  case facts
  case keys(KeyRequest)
  case changeConfiguration(ConfigurationRequest)

  public static let version = 1
}

/// A lock in a lockspace of the in-house manager, for as long as the connection is open.
public struct LockRequest: Equatable, Sendable {
  public var lockspace: LockspaceName
  /// 1 to 64 bytes of text.
  public var resource: String
  public var mode: LockModeName
  /// Fail at once instead of waiting.
  public var isNonBlocking: Bool
  /// Fail when it was not granted in this time; nil waits for ever.
  public var timeoutMilliseconds: UInt64?
  /// Fail when that ends a deadlock.
  public var mayBeVictim: Bool

  public init(
    lockspace: LockspaceName, resource: String, mode: LockModeName, isNonBlocking: Bool = false,
    timeoutMilliseconds: UInt64? = nil, mayBeVictim: Bool = false
  ) {
    self.lockspace = lockspace
    self.resource = resource
    self.mode = mode
    self.isNonBlocking = isNonBlocking
    self.timeoutMilliseconds = timeoutMilliseconds
    self.mayBeVictim = mayBeVictim
  }
}

/// The six modes of a lock, by the names users type.
public enum LockModeName: String, Sendable, CaseIterable {
  case null = "NL"
  case concurrentRead = "CR"
  case concurrentWrite = "CW"
  case protectedRead = "PR"
  case protectedWrite = "PW"
  case exclusive = "EX"

  /// Either case is accepted.
  public init?(argument: String) { self.init(rawValue: argument.uppercased()) }
}

/// `lvextend` or `lvreduce`.
public struct ResizeRequest: Equatable, Sendable {
  public enum Command: String, Sendable {
    case extend = "lvextend"
    case reduce = "lvreduce"
  }

  public var command: Command
  public var volumeGroup: String
  public var logicalVolume: String
  public var size: SizeArgument
  /// `PV[:FIRST-LAST…]` as LVM writes them; empty: any PV of the volume group.
  public var physicalVolumes: [String]
  /// Devices to look at instead of the scan; empty: the daemon's own configuration.
  public var devices: [String]
  /// An allocation policy; nil: the logical volume's own.
  public var allocation: String?
  /// Stripes and stripe size in 512-byte sectors of the new segment; nil: as the last segment.
  public var stripes: UInt32?
  public var stripeSizeSectors: UInt32?
  /// Decide everything, change nothing.
  public var isTest: Bool

  public init(
    command: Command, volumeGroup: String, logicalVolume: String, size: SizeArgument,
    physicalVolumes: [String] = [], devices: [String] = [], allocation: String? = nil,
    stripes: UInt32? = nil, stripeSizeSectors: UInt32? = nil, isTest: Bool = false
  ) {
    self.command = command
    self.volumeGroup = volumeGroup
    self.logicalVolume = logicalVolume
    self.size = size
    self.physicalVolumes = physicalVolumes
    self.devices = devices
    self.allocation = allocation
    self.stripes = stripes
    self.stripeSizeSectors = stripeSizeSectors
    self.isTest = isTest
  }
}

/// A command line as LVM takes it.
public struct VolumeCommandRequest: Equatable, Sendable {
  /// "lvcreate".
  public var command: String
  /// The words behind it.
  public var words: [String]

  public init(command: String, words: [String]) {
    self.command = command
    self.words = words
  }
}

extension AdminRequest {
  private enum Name: String {
    case status
    case nodes
    case lockspaces
    case locks
    case posixLocks = "posix_locks"
    case lock
    case nodeFenced = "node_fenced"
    case lvextend
    case lvreduce
    case activation
    case volumeCommand = "volume_command"
    case mappedDevices = "mapped_devices"
    case facts
    case keys
    case changeConfiguration = "change_configuration"
  }

  /// The message's bytes, terminator included.
  public func encode() -> [UInt8] {
    var fields = ConfigSection()
    fields.add("version", Self.version)
    func name(_ name: Name) { fields.add("request", name.rawValue) }
    switch self {
    case .status: name(.status)
    case .nodes: name(.nodes)
    case .lockspaces: name(.lockspaces)
    case .locks(let lockspace, let onlyWaiting):
      name(.locks)
      fields.add("lockspace", lockspace?.text)
      fields.add("waiting", onlyWaiting)
    case .posixLocks(let lockspace, let onlyWaiting):
      name(.posixLocks)
      fields.add("lockspace", lockspace?.text)
      fields.add("waiting", onlyWaiting)
    case .lock(let request):
      name(.lock)
      fields.add("lockspace", request.lockspace.text)
      fields.add("resource", request.resource)
      fields.add("mode", request.mode.rawValue)
      fields.add("nonblock", request.isNonBlocking)
      if let timeout = request.timeoutMilliseconds { fields.add("timeout_ms", timeout) }
      if request.mayBeVictim { fields.add("fail_on_deadlock", true) }
    case .nodeFenced(let node, let authority):
      name(.nodeFenced)
      fields.add("node", node)
      fields.add("by", authority)
    case .resize(let request):
      fields.add("request", request.command.rawValue)
      request.add(to: &fields)
    case .activation(let request):
      name(.activation)
      request.add(to: &fields)
    case .volumeCommand(let request):
      name(.volumeCommand)
      fields.add("command", request.command)
      fields.add("words", request.words)
    case .mappedDevices: name(.mappedDevices)
    case .facts: name(.facts)
    case .keys(let request):
      name(.keys)
      request.add(to: &fields)
    case .changeConfiguration(let request):
      name(.changeConfiguration)
      request.add(to: &fields)
    }
    return fields.text(style: .raw) + AdminFraming.terminator
  }

  /// Reads a message without its terminator. Total: anything but a known request of this version
  /// throws an error that can be sent back.
  public init(decoding bytes: [UInt8]) throws(AdminDecodingError) {
    let fields = try ConfigSection(message: bytes, limit: AdminFraming.requestLengthMaximum)
    switch try fields.choice("request", of: Name.self) {
    case .status: self = .status
    case .nodes: self = .nodes
    case .lockspaces: self = .lockspaces
    case .locks:
      self = .locks(
        lockspace: try fields.optionalLockspace("lockspace"),
        onlyWaiting: try fields.flag("waiting"))
    case .posixLocks:
      self = .posixLocks(
        lockspace: try fields.optionalLockspace("lockspace"),
        onlyWaiting: try fields.flag("waiting"))
    case .lock: self = .lock(try LockRequest(fields: fields))
    case .nodeFenced:
      self = .nodeFenced(try fields.node("node"), by: try fields.authority("by"))
    case .lvextend: self = .resize(try ResizeRequest(.extend, fields))
    case .lvreduce: self = .resize(try ResizeRequest(.reduce, fields))
    case .activation: self = .activation(try VolumeActivationRequest(fields: fields))
    case .volumeCommand:
      self = .volumeCommand(
        VolumeCommandRequest(
          command: try fields.text("command"), words: try fields.texts("words")))
    case .mappedDevices: self = .mappedDevices
    case .facts: self = .facts
    case .keys: self = .keys(try KeyRequest(fields: fields))
    case .changeConfiguration:
      self = .changeConfiguration(try ConfigurationRequest(fields: fields))
    }
  }
}

extension ConfigSection {
  /// A message of this protocol's version.
  init(message: [UInt8], limit: Int) throws(AdminDecodingError) {
    do {
      try self.init(
        parsing: message,
        limits: ConfigLimits(byteCount: limit, depth: 8, itemCount: max(limit / 4, 1)))
    } catch {
      throw AdminDecodingError(description: "The message is not understood: \(error)")
    }
    let version = try number("version", as: Int.self)
    guard version == AdminRequest.version else {
      throw AdminDecodingError(
        description: "Version \(version) of the admin protocol is not spoken here, only "
          + "\(AdminRequest.version): clvm and clvmd are of different releases.")
    }
  }

  /// Who vouches; nil for the administrator. It ends up in logs and in the cluster's record.
  fileprivate func authority(_ name: String) throws(AdminDecodingError) -> String? {
    guard let text = try optionalText(name) else { return nil }
    guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
    else {
      throw AdminDecodingError(
        description: "The name of an authority has 1 to 64 printable letters.")
    }
    return text
  }

  fileprivate func optionalLockspace(
    _ name: String
  ) throws(AdminDecodingError) -> LockspaceName? {
    content(name) == nil ? nil : try lockspace(name)
  }

  func lockspace(_ name: String) throws(AdminDecodingError) -> LockspaceName {
    let word = try text(name)
    guard let lockspace = LockspaceName(word) else {
      throw AdminDecodingError(description: "'\(word)' cannot be the name of a lockspace.")
    }
    return lockspace
  }
}

extension LockRequest {
  fileprivate init(fields: ConfigSection) throws(AdminDecodingError) {
    self.init(
      lockspace: try fields.lockspace("lockspace"), resource: try fields.text("resource"),
      mode: try fields.choice("mode"), isNonBlocking: try fields.flag("nonblock"),
      timeoutMilliseconds: try fields.optionalNumber("timeout_ms"),
      mayBeVictim: try fields.flag("fail_on_deadlock"))
    guard (1...64).contains(resource.utf8.count) else {
      throw AdminDecodingError(description: "The name of a resource has 1 to 64 bytes.")
    }
  }
}

extension ResizeRequest {
  fileprivate init(_ command: Command, _ fields: ConfigSection) throws(AdminDecodingError) {
    let word = try fields.text("size")
    guard let size = SizeArgument(wireText: word) else {
      throw AdminDecodingError(description: "'\(word)' is not a size.")
    }
    self.init(
      command: command, volumeGroup: try fields.text("vg"), logicalVolume: try fields.text("lv"),
      size: size, physicalVolumes: try fields.texts("pvs"), devices: try fields.texts("devices"),
      allocation: try fields.optionalText("alloc"),
      stripes: try fields.optionalNumber("stripes"),
      stripeSizeSectors: try fields.optionalNumber("stripe_size"),
      isTest: try fields.flag("test"))
  }

  fileprivate func add(to fields: inout ConfigSection) {
    fields.add("vg", volumeGroup)
    fields.add("lv", logicalVolume)
    fields.add("size", size.wireText)
    fields.add("pvs", physicalVolumes)
    fields.add("devices", devices)
    fields.add("alloc", allocation)
    if let stripes { fields.add("stripes", stripes) }
    if let stripeSizeSectors { fields.add("stripe_size", stripeSizeSectors) }
    fields.add("test", isTest)
  }
}
