/// An option as LVM's command lines know it.
struct OptionSpecification: Sendable {
  /// Without the dashes.
  let name: String
  let letter: Character?
  let value: OptionValue
  /// It may stand more than once.
  let repeats: Bool

  init(_ name: String, _ letter: Character, _ value: OptionValue, repeats: Bool = false) {
    (self.name, self.letter, self.value, self.repeats) = (name, letter, value, repeats)
  }

  init(_ name: String, _ value: OptionValue, repeats: Bool = false) {
    (self.name, self.letter, self.value, self.repeats) = (name, nil, value, repeats)
  }

  /// What a command takes the option for: some have other values, or no letter.
  func of(_ command: String) -> OptionSpecification {
    switch (command, name) {
    case ("lvresize", "size"): Self(name, "L", .size("m", .any))
    case ("lvresize", "extents"): Self(name, "l", .extents(.any))
    case ("lvreduce", "size"): Self(name, "L", .size("m", .notPositive))
    case ("lvreduce", "extents"): Self(name, "l", .extents(.notPositive))
    case ("lvextend", "size"), ("lvcreate", "size"): Self(name, "L", .size("m", .notNegative))
    case ("lvextend", "extents"), ("lvcreate", "extents"):
      Self(name, "l", .extents(.notNegative))
    case ("lvresize", "poolmetadatasize"), ("lvextend", "poolmetadatasize"),
      ("lvcreate", "poolmetadatasize"):
      Self(name, .size("m", .notNegative))
    case ("lvconvert", "mirrors"): Self(name, "m", .signedNumber(.any))
    case ("lvcreate", "mirrors"): Self(name, "m", .signedNumber(.notNegative))
    case ("lvconvert", "stripes"), ("vgcfgrestore", "force"), ("pvscan", "cache"),
      ("vgscan", "cache"), ("lvscan", "cache"):
      Self(name, value, repeats: repeats)
    case ("pvcreate", "uuid"): Self(name, "u", .text("String"))
    case ("pvcreate", "metadatacopies"), ("pvchange", "metadatacopies"):
      Self(name, .metadataCopies)
    default: self
    }
  }

  /// How LVM's usage has it: `-L|--size Size[m|UNIT]`.
  func usage(_ command: String) -> String {
    let placeholder = value.placeholder(command).map { " \($0)" } ?? ""
    return usageName + placeholder
  }

  var usageName: String { (letter.map { "-\($0)|" } ?? "") + "--\(name)" }
}

extension OptionSpecification {
  /// The standard name of an option with several; older names are LVM's, too.
  static func standardName(_ name: String, command: String) -> String {
    switch name {
    case "corelog": "mirrorlog"
    case "resizable": "resizeable"
    case "allocation": command.hasPrefix("pv") ? "allocatable" : "resizeable"
    case "available": "activate"
    case "raidrebuild": "rebuild"
    case "raidsyncaction": "syncaction"
    case "raidwritemostly": "writemostly"
    case "raidminrecoveryrate": "minrecoveryrate"
    case "raidmaxrecoveryrate": "maxrecoveryrate"
    case "raidwritebehind": "writebehind"
    case "virtualoriginsize": "virtualsize"
    case "split": "splitcache"
    case "metadatacopies": command.hasPrefix("pv") ? "pvmetadatacopies" : "vgmetadatacopies"
    default: name
    }
  }

  static func named(_ name: String) -> OptionSpecification? { all[name] }

  /// Those whose names are wanted, as a command takes them, in LVM's order.
  static func all(of command: String, where isWanted: (String) -> Bool) -> [OptionSpecification] {
    table.filter { isWanted($0.name) }.map { $0.of(command) }
  }

  /// The place of an option in LVM's table, by which messages about several are ordered.
  static func place(of name: String) -> Int { places[name] ?? places.count }

  private static let all = Dictionary(table.map { ($0.name, $0) }) { first, _ in first }
  private static let places = Dictionary(
    table.enumerated().map { ($0.element.name, $0.offset) }
  ) { first, _ in first }

  /// In LVM's order: without a letter, older names, then by letter.
  private static let table: [OptionSpecification] = [
    OptionSpecification("abort", .flag),
    OptionSpecification("activationmode", .text("partial|degraded|complete")),
    OptionSpecification("addtag", .tag, repeats: true),
    OptionSpecification("adddev", .text("PV")),
    OptionSpecification("deldev", .text("String")),
    OptionSpecification("addpvid", .text("String")),
    OptionSpecification("delpvid", .text("String")),
    OptionSpecification("aligned", .flag),
    OptionSpecification("alloc", .allocation),
    OptionSpecification("atomic", .flag),
    OptionSpecification("autoactivation", .text("String")),
    OptionSpecification("setautoactivation", .bool),
    OptionSpecification("binary", .flag),
    OptionSpecification("bootloaderareasize", .size("m", .none)),
    OptionSpecification("cachemetadataformat", .cacheMetadataFormat),
    OptionSpecification("cachemode", .cacheMode),
    OptionSpecification("cachepool", .text("LV")),
    OptionSpecification("cachevol", .text("LV")),
    OptionSpecification("cachedevice", .text("PV"), repeats: true),
    OptionSpecification("cachesize", .size("m", .none)),
    OptionSpecification("check", .flag),
    OptionSpecification("commandprofile", .text("String")),
    OptionSpecification("compression", .bool),
    OptionSpecification("config", .text("String")),
    OptionSpecification("configreport", .oneOf("log|vg|lv|pv|pvseg|seg"), repeats: true),
    OptionSpecification("dataalignment", .size("k", .notNegative)),
    OptionSpecification("dataalignmentoffset", .size("k", .notNegative)),
    OptionSpecification("deduplication", .bool),
    OptionSpecification("deltag", .tag, repeats: true),
    OptionSpecification("detachprofile", .flag),
    OptionSpecification("deviceidtype", .text("String")),
    OptionSpecification("devices", .text("PV"), repeats: true),
    OptionSpecification("devicesfile", .text("String")),
    OptionSpecification("discards", .discards),
    OptionSpecification("driverloaded", .bool),
    OptionSpecification("errorwhenfull", .bool),
    OptionSpecification("foreign", .flag),
    OptionSpecification("ignorelockingfailure", .flag),
    OptionSpecification("ignoremonitoring", .flag),
    OptionSpecification("ignoreskippedcluster", .flag),
    OptionSpecification("journal", .text("String")),
    OptionSpecification("labelsector", .number),
    OptionSpecification("listlvs", .flag),
    OptionSpecification("listvg", .flag),
    OptionSpecification("checkcomplete", .flag),
    OptionSpecification("lockopt", .text("String")),
    OptionSpecification("lockstart", .flag),
    OptionSpecification("lockstop", .flag),
    OptionSpecification("locktype", .oneOf("sanlock|dlm|none")),
    OptionSpecification("logonly", .flag),
    OptionSpecification("longhelp", .flag),
    OptionSpecification("maxrecoveryrate", .size("k", .notNegative)),
    OptionSpecification("merge", .flag),
    OptionSpecification("mergemirrors", .flag),
    OptionSpecification("mergesnapshot", .flag),
    OptionSpecification("mergethin", .flag),
    OptionSpecification("metadataignore", .bool),
    OptionSpecification("metadataprofile", .text("String")),
    OptionSpecification("metadatasize", .size("m", .none)),
    OptionSpecification("minor", .number, repeats: true),
    OptionSpecification("minrecoveryrate", .size("k", .notNegative)),
    OptionSpecification("mirrorlog", .mirrorLog),
    OptionSpecification("mirrorsonly", .flag),
    OptionSpecification("mknodes", .flag),
    OptionSpecification("monitor", .bool),
    OptionSpecification("nameprefixes", .flag),
    OptionSpecification("noheadings", .flag),
    OptionSpecification("nohints", .flag),
    OptionSpecification("nohistory", .flag),
    OptionSpecification("nolocking", .flag),
    OptionSpecification("norestorefile", .flag),
    OptionSpecification("nosuffix", .flag),
    OptionSpecification("nosync", .flag),
    OptionSpecification("notifydbus", .flag),
    OptionSpecification("noudevsync", .flag),
    OptionSpecification("originname", .text("LV")),
    OptionSpecification("setphysicalvolumesize", .size("m", .none)),
    OptionSpecification("poll", .bool),
    OptionSpecification("poolmetadata", .text("LV")),
    OptionSpecification("poolmetadatasize", .size("m", .none)),
    OptionSpecification("poolmetadataspare", .bool),
    OptionSpecification("profile", .text("String")),
    OptionSpecification("pvmetadatacopies", .metadataCopies),
    OptionSpecification("raidintegrity", .bool),
    OptionSpecification("raidintegrityblocksize", .number),
    OptionSpecification("raidintegritymode", .text("String")),
    OptionSpecification("readonly", .flag),
    OptionSpecification("refresh", .flag),
    OptionSpecification("removemissing", .flag),
    OptionSpecification("rebuild", .text("PV"), repeats: true),
    OptionSpecification("repair", .flag),
    OptionSpecification("replace", .text("PV"), repeats: true),
    OptionSpecification("reportformat", .oneOf("basic|json")),
    OptionSpecification("restorefile", .text("String")),
    OptionSpecification("restoremissing", .flag),
    OptionSpecification("resync", .flag),
    OptionSpecification("rows", .flag),
    OptionSpecification("segments", .flag),
    OptionSpecification("separator", .text("String")),
    OptionSpecification("shared", .flag),
    OptionSpecification("splitcache", .flag),
    OptionSpecification("splitmirrors", .number),
    OptionSpecification("splitsnapshot", .flag),
    OptionSpecification("startpoll", .flag),
    OptionSpecification("swapmetadata", .flag),
    OptionSpecification("syncaction", .oneOf("check|repair")),
    OptionSpecification("sysinit", .flag),
    OptionSpecification("systemid", .text("String")),
    OptionSpecification("thinpool", .text("LV")),
    OptionSpecification("trackchanges", .flag),
    OptionSpecification("trustcache", .flag),
    OptionSpecification("type", .segmentType),
    OptionSpecification("udevoutput", .flag),
    OptionSpecification("unbuffered", .flag),
    OptionSpecification("uncache", .flag),
    OptionSpecification("update", .flag),
    OptionSpecification("cachepolicy", .text("String")),
    OptionSpecification("cachesettings", .text("String"), repeats: true),
    OptionSpecification("units", .text("[Number]r|R|h|H|b|B|s|S|k|K|m|M|g|G|t|T|p|P|e|E")),
    OptionSpecification("unquoted", .flag),
    OptionSpecification("usepolicies", .flag),
    OptionSpecification("vdo", .flag),
    OptionSpecification("vdopool", .text("LV")),
    OptionSpecification("vdosettings", .text("String"), repeats: true),
    OptionSpecification("version", .flag),
    OptionSpecification("vgmetadatacopies", .groupMetadataCopies),
    OptionSpecification("vgonline", .flag),
    OptionSpecification("writebehind", .number),
    OptionSpecification("writemostly", .text("PV[:t|n|y]"), repeats: true),
    OptionSpecification("corelog", .flag),
    OptionSpecification("resizable", .bool),
    OptionSpecification("allocation", .bool),
    OptionSpecification("available", .activation),
    OptionSpecification("raidrebuild", .text("PV"), repeats: true),
    OptionSpecification("raidsyncaction", .oneOf("check|repair")),
    OptionSpecification("raidwritemostly", .text("PV[:t|n|y]"), repeats: true),
    OptionSpecification("raidminrecoveryrate", .size("k", .notNegative)),
    OptionSpecification("raidmaxrecoveryrate", .size("k", .notNegative)),
    OptionSpecification("raidwritebehind", .number),
    OptionSpecification("virtualoriginsize", .size("m", .none)),
    OptionSpecification("split", .flag),
    OptionSpecification("metadatacopies", .groupMetadataCopies),
    OptionSpecification("activate", "a", .activation),
    OptionSpecification("all", "a", .flag),
    OptionSpecification("autobackup", "A", .bool),
    OptionSpecification("activevolumegroups", "A", .flag),
    OptionSpecification("background", "b", .flag),
    OptionSpecification("blockdevice", "b", .flag),
    OptionSpecification("chunksize", "c", .size("k", .notNegative)),
    OptionSpecification("clustered", "c", .bool),
    OptionSpecification("colon", "c", .flag),
    OptionSpecification("columns", "C", .flag),
    OptionSpecification("contiguous", "C", .bool),
    OptionSpecification("debug", "d", .flag, repeats: true),
    OptionSpecification("exported", "e", .flag),
    OptionSpecification("file", "f", .text("String")),
    OptionSpecification("force", "f", .flag, repeats: true),
    OptionSpecification("help", "h", .flag),
    OptionSpecification("cache", "H", .flag),
    OptionSpecification("history", "H", .flag),
    OptionSpecification("interval", "i", .number),
    OptionSpecification("stripes", "i", .number),
    OptionSpecification("stripesize", "I", .size("k", .notNegative)),
    OptionSpecification("logicalvolume", "l", .uint32),
    OptionSpecification("maxlogicalvolumes", "l", .uint32),
    OptionSpecification("extents", "l", .extents(.none)),
    OptionSpecification("list", "l", .flag),
    OptionSpecification("size", "L", .size("m", .none)),
    OptionSpecification("persistent", "M", .bool),
    OptionSpecification("major", "j", .number, repeats: true),
    OptionSpecification("setactivationskip", "k", .bool),
    OptionSpecification("ignoreactivationskip", "K", .flag),
    OptionSpecification("maps", "m", .flag),
    OptionSpecification("mirrors", "m", .number),
    OptionSpecification("metadatatype", "M", .metadataType),
    OptionSpecification("name", "n", .text("String")),
    OptionSpecification("nofsck", "n", .flag),
    OptionSpecification("novolumegroup", "n", .flag),
    OptionSpecification("options", "o", .text("String"), repeats: true),
    OptionSpecification("sort", "O", .text("String"), repeats: true),
    OptionSpecification("maxphysicalvolumes", "p", .uint32),
    OptionSpecification("permission", "p", .permission),
    OptionSpecification("partial", "P", .flag),
    OptionSpecification("quiet", "q", .flag, repeats: true),
    OptionSpecification("readahead", "r", .readAhead),
    OptionSpecification("resizefs", "r", .flag),
    OptionSpecification("regionsize", "R", .regionSize),
    OptionSpecification("physicalextentsize", "s", .size("m", .none)),
    OptionSpecification("snapshot", "s", .flag),
    OptionSpecification("short", "s", .flag),
    OptionSpecification("select", "S", .text("String"), repeats: true),
    OptionSpecification("test", "t", .flag),
    OptionSpecification("thin", "T", .flag),
    OptionSpecification("updatemetadata", .flag),
    OptionSpecification("uuid", "u", .flag),
    OptionSpecification("verbose", "v", .flag, repeats: true),
    OptionSpecification("virtualsize", "V", .size("m", .none)),
    OptionSpecification("wipesignatures", "W", .bool),
    OptionSpecification("allocatable", "x", .bool),
    OptionSpecification("resizeable", "x", .bool),
    OptionSpecification("yes", "y", .flag),
    OptionSpecification("zero", "Z", .bool),
  ]
}
