/// Which of LVM's reports a command makes.
public enum ReportKind: Sendable, CaseIterable {
  /// `vgs`
  case volumeGroups
  /// `pvs`
  case physicalVolumes
  /// `lvs`
  case logicalVolumes
  /// `pvs --segments`
  case physicalSegments
  /// `lvs --segments`
  case segments

  /// What the rows are about before the columns were looked at.
  var subject: ReportSubject {
    switch self {
    case .volumeGroups: .volumeGroup
    case .physicalVolumes: .label
    case .logicalVolumes: .logicalVolume
    case .physicalSegments: .physicalSegment
    case .segments: .segment
    }
  }

  /// The key under which JSON lists the rows.
  var jsonKey: String { subject.prefix }

  /// The report's arguments are devices.
  var namesDevices: Bool { self == .physicalVolumes || self == .physicalSegments }

  /// The columns without `-o`.
  func defaultColumns(isVerbose: Bool) -> String {
    let devices = "pv_name,vg_name,pv_fmt,pv_attr,pv_size,pv_free"
    switch self {
    case .volumeGroups:
      return isVerbose
        ? "vg_name,vg_attr,vg_extent_size,pv_count,lv_count,snap_count,vg_size,vg_free,vg_uuid,"
          + "vg_profile"
        : "vg_name,pv_count,lv_count,snap_count,vg_attr,vg_size,vg_free"
    case .physicalVolumes:
      return isVerbose ? devices + ",dev_size,pv_uuid" : devices
    case .logicalVolumes:
      return isVerbose
        ? "lv_name,vg_name,seg_count,lv_attr,lv_size,lv_major,lv_minor,lv_kernel_major,"
          + "lv_kernel_minor,pool_lv,origin,data_percent,metadata_percent,move_pv,copy_percent,"
          + "mirror_log,convert_lv,lv_uuid,lv_profile"
        : "lv_name,vg_name,lv_attr,lv_size,pool_lv,origin,data_percent,metadata_percent,move_pv,"
          + "mirror_log,copy_percent,convert_lv"
    case .physicalSegments:
      return isVerbose
        ? devices + ",pvseg_start,pvseg_size,lv_name,seg_start_pe,segtype,seg_pe_ranges"
        : devices + ",pvseg_start,pvseg_size"
    case .segments:
      return isVerbose
        ? "lv_name,vg_name,lv_attr,seg_start,seg_size,stripes,segtype,stripesize,chunksize"
        : "lv_name,vg_name,lv_attr,stripes,segtype,seg_size"
    }
  }

  /// The sort keys without `-O`.
  var defaultKeys: String {
    switch self {
    case .volumeGroups: "vg_name"
    case .physicalVolumes: "pv_name"
    case .logicalVolumes: "vg_name,lv_name"
    case .physicalSegments: "pv_name,pvseg_start"
    case .segments: "vg_name,lv_name,seg_start"
    }
  }

  /// Columns and keys of this part of a full report.
  var fullReportDefaults: (columns: String, keys: String) {
    switch self {
    case .volumeGroups: ("vg_all", "vg_name")
    case .physicalVolumes: ("pv_all", "pv_name")
    case .logicalVolumes: ("lv_all", "vg_name,lv_name")
    case .physicalSegments: ("pvseg_all,pv_uuid,lv_uuid", "pv_uuid,pvseg_start")
    case .segments: ("seg_all,lv_uuid", "lv_uuid,seg_start")
    }
  }
}

/// What a user asks a report for.
public struct ReportRequest: Sendable {
  public var kind: ReportKind
  /// Arguments of `-o` in order: names with commas between; one that begins with `+` adds to the
  /// columns so far, with `-` takes away, with `#` leaves them out where they are empty, any other
  /// replaces.
  public var columns: [String] = []
  /// The argument of `-O`: names with commas between, each with `-` before it to sort downwards.
  public var keys: String?
  /// The argument of `-S`.
  public var selection: String?
  public var isVerbose = false
  /// Rows are about physical volumes as members of groups although only labels are asked for.
  public var needsGroups = false
  /// One part of a full report about the volume group of this name; empty for the physical volumes
  /// of none.
  public var fullReportGroup: String?
  /// Now, in seconds since 1970: selections speak of times ago.
  public var now: Int64 = 0

  public init(_ kind: ReportKind) { self.kind = kind }
}

/// Why a report cannot be made; the text is for the user.
public struct ReportError: Error, Equatable, Sendable, CustomStringConvertible {
  public let message: String
  /// Lines to be printed before the message.
  public var help: [String] = []
  /// Lines to be printed behind it.
  public var advice: [String] = []

  public init(_ message: String, help: [String] = [], advice: [String] = []) {
    self.message = message
    self.help = help
    self.advice = advice
  }

  public var description: String { message }
}
