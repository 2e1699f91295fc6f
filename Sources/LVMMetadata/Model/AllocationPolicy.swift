/// How extents may be chosen, strictest first (lvm2-metadata 10).
///
/// An LV without a policy of its own ("inherit") has nil and takes the VG's.
public enum AllocationPolicy: String, Sendable, CaseIterable, Comparable {
  /// Right behind the last extents on the same PV.
  case contiguous
  /// On the PVs the LV already uses.
  case cling
  /// On PVs that share a tag with those the LV already uses.
  case clingByTags = "cling_by_tags"
  /// On any PV, parallel areas on different ones.
  case normal
  /// Parallel areas may share a PV.
  case anywhere

  private var rank: Int {
    switch self {
    case .contiguous: 0
    case .cling: 1
    case .clingByTags: 2
    case .normal: 3
    case .anywhere: 4
    }
  }

  public static func < (left: AllocationPolicy, right: AllocationPolicy) -> Bool {
    left.rank < right.rank
  }
}
