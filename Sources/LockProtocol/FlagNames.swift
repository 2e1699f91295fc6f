/// The names of flags and modes in `linux/dlmconstants.h`, without their prefixes.
extension LockFlags {
  private static let names: [(name: String, flag: LockFlags)] = [
    ("NOQUEUE", .noQueue), ("CANCEL", .cancel), ("CONVERT", .convert), ("VALBLK", .valueBlock),
    ("QUECVT", .queueConversion), ("IVVALBLK", .invalidateValueBlock),
    ("CONVDEADLK", .conversionDeadlock), ("PERSISTENT", .persistent),
    ("NODLCKWT", .noDeadlockWait), ("NODLCKBLK", .noDeadlockBlock), ("EXPEDITE", .expedite),
    ("NOQUEUEBAST", .noQueueBlockingCallback), ("HEADQUE", .headOfQueue), ("NOORDER", .noOrder),
    ("ORPHAN", .orphan), ("ALTPR", .alternatePR), ("ALTCW", .alternateCW),
    ("FORCEUNLOCK", .forceUnlock), ("TIMEOUT", .timeout),
  ]

  /// The flag `DLM_LKF_<name>`; nil when there is none of that name.
  public init?(name: some StringProtocol) {
    guard let entry = Self.names.first(where: { $0.name == name }) else { return nil }
    self = entry.flag
  }

  /// In the order of their bits; bits without a name are left out.
  public var names: [String] { Self.names.filter { contains($0.flag) }.map(\.name) }
}

extension LockStatusFlags {
  /// The names of `DLM_SBF_…`, in the order of their bits.
  public var names: [String] {
    let names: [(name: String, flag: LockStatusFlags)] = [
      ("DEMOTED", .demoted), ("VALNOTVALID", .valueNotValid), ("ALTMODE", .alternateMode),
    ]
    return names.filter { contains($0.flag) }.map(\.name)
  }
}

extension LockMode {
  /// The mode `DLM_LOCK_<name>`, IV included; nil when there is none of that name.
  public init?(name: some StringProtocol) {
    guard let mode = Self.allCases.first(where: { $0.description == name }) else { return nil }
    self = mode
  }
}
