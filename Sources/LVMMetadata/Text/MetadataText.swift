import ConfigText

/// A metadata text: one version of a volume group and a note of who wrote it.
public struct MetadataText: Sendable, Equatable {
  public var volumeGroup: VolumeGroup
  public var provenance: MetadataProvenance

  public init(volumeGroup: VolumeGroup, provenance: MetadataProvenance) {
    self.volumeGroup = volumeGroup
    self.provenance = provenance
  }

  /// Reads either form, on disk or in a file, by LVM's rules (lvm2-metadata 5 and 6); the first
  /// section is the volume group and its name the group's.
  public init(parsing bytes: some Collection<UInt8>) throws(MetadataTextError) {
    let text: ConfigSection
    do {
      text = try ConfigSection(parsing: bytes)
    } catch {
      throw MetadataTextError(path: "", problem: "not configuration text: \(error)")
    }
    guard text.string("contents") == Self.contents else {
      throw MetadataTextError(path: "contents", problem: "is not \"\(Self.contents)\"")
    }
    guard text.integer("version") == 1 else {
      throw MetadataTextError(path: "version", problem: "is not 1")
    }
    for entry in text.entries {
      guard case .section(let section) = entry.content else { continue }
      self.volumeGroup = try VolumeGroupParser.parse(name: entry.name, section)
      self.provenance = MetadataProvenance(header: text)
      return
    }
    throw MetadataTextError(path: "", problem: "there is no volume group in the text")
  }

  static let contents = "Text Format Volume Group"
}

/// Who wrote a metadata text, when and why. Informative only; the caller knows the clock.
public struct MetadataProvenance: Sendable, Equatable {
  /// The program, as in "LVM2 version 2.03.16(2)"; stands in a comment and is lost in reading.
  public var generator: String?
  /// "Write from lvcreate …."
  public var description: String?
  public var creationHost: String?
  /// What `uname` says, as a comment behind the host; lost in reading.
  public var hostDetails: String?
  public var creationHostSystemID: String?
  /// Seconds since 1970.
  public var creationTime: UInt64?

  public init(
    generator: String? = nil, description: String, creationHost: String,
    hostDetails: String? = nil, creationHostSystemID: String? = nil, creationTime: UInt64
  ) {
    self.generator = generator
    self.description = description
    self.creationHost = creationHost
    self.hostDetails = hostDetails
    self.creationHostSystemID = creationHostSystemID
    self.creationTime = creationTime
  }

  fileprivate init(header: ConfigSection) {
    self.description = header.string("description")
    self.creationHost = header.string("creation_host")
    self.creationHostSystemID = header.string("creation_host_system_id")
    self.creationTime = header.integer("creation_time").flatMap { UInt64(exactly: $0) }
  }
}
