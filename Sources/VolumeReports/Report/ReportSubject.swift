/// What columns are about. Together the columns of a report decide what its rows are about.
enum ReportSubject: Int, CaseIterable {
  case volumeGroup
  case logicalVolume
  /// What the device of a logical volume is like.
  case deviceInfo
  /// What the targets of its device tell.
  case deviceStatus
  case deviceInfoStatus
  case physicalVolume
  /// What the label of a physical volume says.
  case label
  case segment
  case physicalSegment
  /// About the report itself.
  case special

  /// What users may leave out of the names of a report's main columns.
  var prefix: String {
    switch self {
    case .volumeGroup: "vg"
    case .logicalVolume, .deviceInfo, .deviceStatus, .deviceInfoStatus: "lv"
    case .physicalVolume, .label: "pv"
    case .segment: "seg"
    case .physicalSegment: "pvseg"
    case .special: "special"
    }
  }

  /// The heading in help.
  var title: String {
    switch self {
    case .volumeGroup: "Volume Group"
    case .logicalVolume: "Logical Volume"
    case .deviceInfo: "Logical Volume Device Info"
    case .deviceStatus: "Logical Volume Device Status"
    case .deviceInfoStatus: "Logical Volume Device Info and Status Combined"
    case .physicalVolume: "Physical Volume"
    case .label: "Physical Volume Label"
    case .segment: "Logical Volume Segment"
    case .physicalSegment: "Physical Volume Segment"
    case .special: "Special"
    }
  }

  var isLogical: Bool { prefix == "lv" }
}

/// How the values of a column are sorted, selected and aligned.
enum ReportFieldType: String {
  case string
  case number
  case size
  case percent
  case time
  case stringList = "string list"

  /// Numbers and sizes are aligned right.
  var isAlignedRight: Bool { self == .number || self == .size }
}
