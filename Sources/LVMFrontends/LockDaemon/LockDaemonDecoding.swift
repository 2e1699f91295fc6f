import ConfigText

/// Decoding is total: whatever the bytes are, there is a request to answer.
extension LockDaemonMessage {
  /// Room for every request a command sends; they are below 1 KiB.
  private static let limits = ConfigLimits(byteCount: 64 << 10, depth: 8, itemCount: 4_096)

  /// Decodes a message without its terminator.
  public init(decoding bytes: [UInt8]) {
    let fields: RequestFields
    do {
      fields = RequestFields(try ConfigSection(parsing: bytes, limits: Self.limits))
    } catch {
      self.init(request: .malformed("\(error)"), name: "?", command: nil, lockType: nil)
      return
    }
    let name = fields.word("request") ?? "?"
    let request: LockDaemonRequest
    do {
      request = try fields.request(named: name)
    } catch {
      request = .malformed("\(name): \(error.problem)")
    }
    self.init(
      request: request, name: name, command: fields.word("cmd"),
      lockType: fields.word("vg_lock_type"))
  }
}

/// Why a request's fields make no sense.
private struct FieldError: Error {
  let problem: String
}

/// Reads the flat fields of a request; `none` stands for absent (lvmlockd-socket 3).
private struct RequestFields {
  private static let textLengthMax = 64
  private let section: ConfigSection

  init(_ section: ConfigSection) { self.section = section }

  func text(_ key: String) -> String? {
    guard let text = section.string(key), !text.isEmpty, text != "none" else { return nil }
    return text
  }

  /// A text that goes into replies, logs and dumps: cut, and without spaces and quotes.
  func word(_ key: String) -> String? {
    text(key).map { text in
      let bytes = text.utf8.prefix(Self.textLengthMax).map { byte in
        (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
          ? byte : UInt8(ascii: "?")
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  /// lvm writes these words with commas, with spaces and with nothing between them:
  /// `persistent,adopt_onlyrepair`.
  func hasOption(_ word: String) -> Bool { text("opts")?.contains(word) ?? false }

  /// A name as LVM allows it.
  func name(_ key: String) throws(FieldError) -> String {
    guard let text = text(key) else { throw FieldError(problem: "\(key) is missing") }
    guard Self.isName(text) else { throw FieldError(problem: "\(key) is not a name") }
    return text
  }

  private static func isName(_ text: String) -> Bool {
    text.utf8.count < 128 && text != "." && text != ".."
      && text.utf8.allSatisfy { byte in
        isLetterOrDigit(byte) || "+_.-".utf8.contains(byte)
      }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      true
    default: false
    }
  }

  func uuid(_ key: String) throws(FieldError) -> String? {
    guard let text = text(key) else { return nil }
    guard text.utf8.count <= Self.textLengthMax,
      text.utf8.allSatisfy({ Self.isLetterOrDigit($0) || $0 == UInt8(ascii: "-") })
    else { throw FieldError(problem: "\(key) is not a uuid") }
    return text
  }

  func wish() throws(FieldError) -> LockWish {
    let mode = text("mode")
    if mode == "un" { return .unlock }
    guard let mode, let mode = LockMode(rawValue: mode) else {
      throw FieldError(problem: "mode is none of un, sh, ex")
    }
    return .lock(mode)
  }

  func version() throws(FieldError) -> UInt32 {
    guard let number = section.integer("version"), let version = UInt32(exactly: number) else {
      throw FieldError(problem: "version is not a metadata sequence number")
    }
    return version
  }

  func logicalVolume() throws(FieldError) -> LockDaemonRequest.LogicalVolumeReference {
    guard let uuid = try uuid("lv_uuid") else { throw FieldError(problem: "lv_uuid is missing") }
    return .init(vg: try name("vg_name"), uuid: uuid, name: try? name("lv_name"))
  }

  /// The path has repeated slashes: `/dev//vg1/lv1`.
  func path() throws(FieldError) -> LockDaemonRequest.VolumePath {
    let parts = (text("path") ?? "").split(separator: "/").map(String.init)
    guard parts.count >= 2, parts.suffix(2).allSatisfy(Self.isName) else {
      throw FieldError(problem: "path does not end with VG/LV")
    }
    return .init(vg: parts[parts.count - 2], lv: parts[parts.count - 1])
  }

  func request(named name: String) throws(FieldError) -> LockDaemonRequest {
    switch name {
    case "hello": .hello
    case "quit": .quit
    case "info": .info
    case "dump": .dump
    case "running_lm": .runningLockManager
    case "start_wait": .startWait
    case "stop_all":
      .stopAll(waits: hasOption("wait"), isForced: hasOption("force"))
    case "lock_gl", "lock_vg", "lock_lv": try lockRequest(named: name)
    case "init_lv", "free_lv", "query_lock_lv", "refresh_lv": try logicalVolumeRequest(named: name)
    case "enable_gl", "disable_gl": .moveGlobalLock
    case "setlockargs_vg_final": .endLockArguments
    default: try volumeGroupRequest(named: name)
    }
  }

  private func lockRequest(named name: String) throws(FieldError) -> LockDaemonRequest {
    let wish = try wish()
    let adoption: LockMode? =
      if case .lock(let mode) = wish, hasOption("adopt_only") { mode } else { nil }
    switch (name, adoption) {
    case ("lock_gl", nil): return .lockGlobal(wish, lockType: word("vg_lock_type"))
    case ("lock_vg", nil): return .lockVolumeGroup(try self.name("vg_name"), wish)
    case ("lock_lv", nil):
      return .lockLogicalVolume(
        try logicalVolume(), wish, isPersistent: hasOption("persistent"))
    case ("lock_lv", let mode?): return .adoptLogicalVolume(try logicalVolume(), mode)
    default: return .adoptLock
    }
  }

  private func logicalVolumeRequest(named name: String) throws(FieldError) -> LockDaemonRequest {
    switch name {
    case "init_lv":
      .initializeLogicalVolume(try logicalVolume(), lockType: word("vg_lock_type"))
    case "free_lv": .freeLogicalVolume(try logicalVolume())
    case "query_lock_lv": .queryLogicalVolume(try logicalVolume())
    default: .refreshLogicalVolume(try path(), uuid: try uuid("lv_uuid"))
    }
  }

  private func volumeGroupRequest(named name: String) throws(FieldError) -> LockDaemonRequest {
    switch name {
    case "vg_update": .updateVolumeGroup(try self.name("vg_name"), version: try version())
    case "init_vg":
      .initializeVolumeGroup(try self.name("vg_name"), lockType: word("vg_lock_type"))
    case "start_vg":
      .startVolumeGroup(
        .init(
          vg: try self.name("vg_name"), uuid: try uuid("vg_uuid"),
          lockType: word("vg_lock_type"), lockArguments: word("vg_lock_args"),
          isAdoption: hasOption("adopt_only")))
    case "query_lock_vg": .queryVolumeGroup(try self.name("vg_name"))
    case "stop_vg": .stopVolumeGroup(try self.name("vg_name"))
    case "busy_vg": .askBusy(try self.name("vg_name"))
    case "free_vg": .freeVolumeGroup(try self.name("vg_name"))
    case "rename_vg_before": .beginRename(try self.name("vg_name"))
    case "rename_vg_final": .endRename
    case "vg_status": .describeVolumeGroup(try self.name("vg_name"))
    case "find_free_lock": .findFreeLock(try self.name("vg_name"))
    case "setlockargs_vg_before": .beginLockArguments(try self.name("vg_name"))
    case "kill_vg": .kill(try self.name("vg_name"))
    case "drop_vg": .drop(try self.name("vg_name"))
    default: .unknown(name)
    }
  }
}
