/// The forms of lvcreate.
extension CommandForm {
  private static let creating =
    "addtag alloc autobackup activate contiguous ignoreactivationskip ignoremonitoring major "
    + "metadataprofile minor monitor name nosync noudevsync permission persistent readahead "
    + "reportformat setactivationskip wipesignatures zero setautoactivation"

  private static let newCache = "cachemode cachepolicy cachesettings chunksize cachemetadataformat"

  private static let newPool = "poolmetadatasize poolmetadataspare chunksize"

  private static let newThinPool = newPool + " discards errorwhenfull"

  private static let newCachePool = newPool + " " + newCache

  private static let newVDO = "compression deduplication vdosettings"

  /// lvcreate(8).
  static let lvcreate: [CommandForm] = [
    CommandForm("--type=error --size VG", with: creating),
    CommandForm("--type=zero --size VG", with: creating),
    CommandForm(
      "--type=linear --size VG", with: creating, then: "PV ...", ignoring: "mirrors=0 stripes=1"),
    CommandForm(
      "--size VG", with: creating, then: "PV ...", ignoring: "mirrors=0 stripes=1",
      types: ["linear"]),
    CommandForm("--type=striped --size VG", with: "stripes stripesize " + creating, then: "PV ..."),
    CommandForm(
      "--stripes --size VG", with: "stripesize " + creating, then: "PV ...", types: ["striped"]),
    CommandForm(
      "--type=mirror --size VG",
      with: "stripes stripesize mirrors mirrorlog regionsize " + creating, then: "PV ..."),
    CommandForm(
      "--mirrors --size VG",
      with: "stripesize mirrorlog regionsize minrecoveryrate maxrecoveryrate " + creating,
      then: "PV ...", ignoring: "stripes=1", types: ["raid1", "mirror"]),
    CommandForm(
      "--type=raid --size VG",
      with:
        "stripes stripesize mirrors regionsize minrecoveryrate maxrecoveryrate raidintegrity "
        + "raidintegritymode raidintegrityblocksize "
        + creating, then: "PV ..."),
    CommandForm(
      "--mirrors --stripes --size VG",
      with: "stripesize regionsize minrecoveryrate maxrecoveryrate " + creating, then: "PV ...",
      types: ["raid10"]),
    CommandForm(
      "--type=snapshot --size LV", with: "snapshot stripes stripesize chunksize " + creating,
      then: "PV ..."),
    CommandForm(
      "--snapshot --size LV", with: "stripes stripesize chunksize " + creating, then: "PV ...",
      types: ["snapshot"]),
    CommandForm(
      "--type=snapshot --size --virtualsize VG", with: "snapshot chunksize " + creating,
      then: "PV ..."),
    CommandForm(
      "--type=thin-pool --size VG",
      with: "thinpool stripes stripesize thin " + newThinPool + " " + creating,
      then: "PV ...", ignoring: "mirrors=0"),
    CommandForm(
      "--thin --size VG",
      with: "stripes stripesize " + newThinPool + " " + creating, then: "PV ...",
      ignoring: "mirrors=0", types: ["thin-pool"]),
    CommandForm(
      "--size --thinpool VG",
      with: "stripes stripesize thin " + newThinPool + " " + creating,
      then: "PV ...", ignoring: "mirrors=0", types: ["thin-pool"]),
    CommandForm(
      "--type=cache-pool --size VG",
      with: "stripes stripesize cache " + newCachePool + " " + creating,
      then: "PV ..."),
    CommandForm(
      "--type=cache-pool --size --cachepool VG",
      with: "stripes stripesize cache " + newCachePool + " " + creating,
      then: "PV ..."),
    CommandForm(
      "--type=thin --virtualsize --thinpool VG", with: "thin " + creating, ignoring: "mirrors=0"),
    CommandForm("--type=thin --virtualsize LV", with: "thin " + creating, ignoring: "mirrors=0"),
    CommandForm(
      "--virtualsize --thinpool VG", with: "thin " + creating, ignoring: "mirrors=0",
      types: ["thin"]),
    CommandForm(
      "--virtualsize LV", with: "thin " + creating, ignoring: "mirrors=0", types: ["thin"]),
    CommandForm("--type=thin LV", with: "thin " + creating, ignoring: "mirrors=0"),
    CommandForm("--thin LV", with: creating, ignoring: "mirrors=0", types: ["thin"]),
    CommandForm("--snapshot LV", with: creating, ignoring: "mirrors=0", types: ["thin"]),
    CommandForm("--type=thin --thinpool LV", with: "thin " + creating, ignoring: "mirrors=0"),
    CommandForm("--snapshot --thinpool LV", with: creating, ignoring: "mirrors=0", types: ["thin"]),
    CommandForm(
      "--type=vdo --size VG",
      with: "stripes stripesize vdo virtualsize vdopool " + newVDO + " " + creating, then: "PV ...",
      ignoring: "mirrors=0"),
    CommandForm(
      "--vdo --size VG", with: "stripes stripesize virtualsize vdopool " + newVDO + " " + creating,
      then: "PV ...", ignoring: "mirrors=0", types: ["vdo"]),
    CommandForm(
      "--vdopool --size VG", with: "stripes stripesize virtualsize " + newVDO + " " + creating,
      then: "PV ...", ignoring: "mirrors=0", types: ["vdo"]),
    CommandForm(
      "--type=thin --virtualsize --size --thinpool VG",
      with: "stripes stripesize thin " + newThinPool + " " + creating,
      then: "PV ...", ignoring: "mirrors=0"),
    CommandForm(
      "--virtualsize --size --thinpool VG",
      with: "stripes stripesize thin " + newThinPool + " " + creating,
      then: "PV ...", ignoring: "mirrors=0", types: ["thin"]),
    CommandForm(
      "--type=thin --virtualsize --size VG|LV_new",
      with: "stripes stripesize thin " + newThinPool + " " + creating,
      then: "PV ...", ignoring: "mirrors=0"),
    CommandForm(
      "--thin --virtualsize --size VG|LV_new",
      with: "stripes stripesize " + newThinPool + " " + creating, then: "PV ...",
      ignoring: "mirrors=0", types: ["thin"]),
    CommandForm(
      "--size --virtualsize VG",
      with: "stripes stripesize snapshot thin " + newThinPool + " " + creating,
      then: "PV ...", ignoring: "mirrors=0", types: ["thin", "snapshot"]),
    CommandForm(
      "--type=cache --size --cachepool VG",
      with: "stripes stripesize cache " + newCachePool + " " + creating,
      then: "PV ..."),
    CommandForm(
      "--size --cachepool VG", with: "stripes stripesize cache " + newCache + " " + creating,
      then: "PV ...", types: ["cache"]),
    CommandForm(
      "--type=cache --size LV",
      with: "stripes stripesize cache " + newCachePool + " " + creating,
      then: "PV ..."),
    CommandForm(
      "--cache --size LV", with: "stripes stripesize " + newCachePool + " " + creating,
      then: "PV ...", types: ["cache"]),
    CommandForm(
      "--type=cache --size --cachevol VG", with: "stripes stripesize " + newCache + " " + creating,
      then: "PV ..."),
    CommandForm(
      "--type=cache --size --cachedevice VG",
      with: "stripes stripesize cachesize " + newCache + " " + creating, then: "PV ..."),
    CommandForm(
      "--type=writecache --size --cachevol VG",
      with: "cachesettings stripes stripesize " + creating, then: "PV ..."),
    CommandForm(
      "--type=writecache --size --cachedevice VG",
      with: "cachesize cachesettings stripes stripesize " + creating, then: "PV ..."),
  ]
}
