import Glibc

/// The archived versions of one group: files called `<VG>_<index>-<random>.vg`.
public struct MetadataArchive: Sendable {
  public struct File: Sendable, Equatable {
    public let name: String
    public let index: UInt32
  }

  public let folder: String
  public let group: String
  /// From the oldest to the newest.
  public let files: [File]

  /// Reads the names in the folder.
  public init(folder: String, group: String) throws(SystemFileError) {
    self.folder = folder
    self.group = group
    files = try SystemFile.names(in: folder).compactMap { File(name: $0, group: group) }
      .sorted { ($0.index, $0.name) < ($1.index, $1.name) }
  }

  public func path(of file: File) -> String { "\(folder)/\(file.name)" }

  /// Renames a file to the next place in the archive and returns where it is.
  func add(_ temporary: String) throws(SystemFileError) -> String {
    let random = UInt32.random(in: 0...UInt32(Int32.max))
    var index = files.last.map { $0.index &+ 1 } ?? 0
    var path = ""
    // Another command may be at work in the same folder: nobody's file is replaced.
    for _ in 0..<10 {
      path = "\(folder)/\(group)_\(Self.fiveDigits(index))-\(random).vg"
      if link(temporary, path) == 0 {
        unlink(temporary)
        return path
      }
      guard errno == EEXIST else { break }
      index &+= 1
    }
    try SystemFile.rename(temporary, to: path)
    return path
  }

  private static func fiveDigits(_ index: UInt32) -> String {
    let digits = String(index)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  /// Removes versions older than `days`, the oldest first, while more than `countMin` are left.
  ///
  /// - Parameter now: seconds since 1970.
  func removeExpired(countMin: Int, days: Int, now: Int) {
    // The new one is not among `files`.
    var count = files.count + 1
    let (age, overflow) = days.multipliedReportingOverflow(by: 86_400)
    guard !overflow else { return }
    for file in files {
      guard count > countMin else { return }
      var attributes = stat()
      guard stat(path(of: file), &attributes) == 0 else { continue }
      guard attributes.st_mtim.tv_sec <= now - age else { continue }
      unlink(path(of: file))
      count -= 1
    }
  }
}

extension MetadataArchive.File {
  /// Nil when the file is not an archived version of `group`.
  init?(name: String, group: String) {
    guard name.hasSuffix(".vg"), name.utf8.count >= 7,
      let underscore = name.utf8.lastIndex(of: UInt8(ascii: "_")), name[..<underscore] == group,
      let index = UInt32(name[name.index(after: underscore)...].prefix { "0"..."9" ~= $0 })
    else { return nil }
    self.name = name
    self.index = index
  }
}
