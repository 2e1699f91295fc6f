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
    let document: ConfigDocument
    do {
      document = try ConfigDocument(parsing: Array(bytes))
    } catch {
      throw MetadataTextError(path: "", problem: "not configuration text: \(error)")
    }
    let header = Header(document)
    guard header.contents == Self.contents else {
      throw MetadataTextError(path: "contents", problem: "is not \"\(Self.contents)\"")
    }
    guard header.version == 1 else {
      throw MetadataTextError(path: "version", problem: "is not 1")
    }
    guard let section = header.firstSection else {
      throw MetadataTextError(path: "", problem: "there is no volume group in the text")
    }
    var parser = VolumeGroupParser(document)
    volumeGroup = try parser.parse(section)
    provenance = header.provenance
  }

  /// What stands beside the VG section.
  private struct Header {
    var contents: String?
    var version: Int64?
    var firstSection: Int?
    var provenance = MetadataProvenance()

    init(_ document: ConfigDocument) {
      var seen: Set<String> = []
      var node = document.firstNode
      while node < document.endNode {
        if document.isSection(node), firstSection == nil { firstSection = node }
        let name = document.name(node)
        // The first of equal keys counts.
        if seen.insert(name).inserted { take(name, node, document) }
        node = document.next(node)
      }
    }

    private mutating func take(_ name: String, _ node: Int, _ document: ConfigDocument) {
      switch name {
      case "contents": contents = document.string(node)
      case "version": version = document.integer(node)
      case "description": provenance.description = document.string(node)
      case "creation_host": provenance.creationHost = document.string(node)
      case "creation_host_system_id": provenance.creationHostSystemID = document.string(node)
      case "creation_time":
        provenance.creationTime = document.integer(node).flatMap { UInt64(exactly: $0) }
      default: break
      }
    }
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

  /// Nothing is known.
  fileprivate init() {}
}
