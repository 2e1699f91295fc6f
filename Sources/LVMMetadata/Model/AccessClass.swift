/// Who may use a volume group (lvm2-metadata 11).
public enum AccessClass: Sendable, Equatable {
  /// Taken out of use by vgexport: no activation until vgimport.
  case exported
  /// Owned by another host.
  case foreign(systemID: String)
  /// Marked for clvmd; LVM 2.03 skips such groups.
  case clustered
  /// Shared by lvmlockd's rules.
  case shared(lockType: String)
  /// Of this host, or open to all.
  case local
}

extension VolumeGroup {
  public var isExported: Bool { status.contains(.exported) }

  /// Marked for clvmd.
  public var isClustered: Bool { status.contains(.clustered) }

  /// Shared by lvmlockd's rules.
  public var isShared: Bool { lockType != nil }

  /// - Parameter hostSystemID: this host's system id; nil when it has none, and then every group
  ///   that has one is foreign.
  public func accessClass(hostSystemID: String?) -> AccessClass {
    if isExported { return .exported }
    if let systemID, systemID != hostSystemID { return .foreign(systemID: systemID) }
    if isClustered { return .clustered }
    if let lockType { return .shared(lockType: lockType) }
    return .local
  }
}
