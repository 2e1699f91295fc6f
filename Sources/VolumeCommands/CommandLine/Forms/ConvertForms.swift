/// The forms of lvconvert.
extension CommandForm {
  private static let converting =
    "alloc background force noudevsync"

  private static let convertedPool =
    "poolmetadata poolmetadatasize poolmetadataspare readahead chunksize zero metadataprofile"

  private static let convertedThinPool =
    "discards errorwhenfull"

  private static let convertedCache =
    "cachemetadataformat cachemode cachepolicy cachesettings zero"

  private static let convertedVDO =
    "metadataprofile readahead compression deduplication vdosettings zero"

  /// lvconvert(8).
  static let lvconvert: [CommandForm] = [
    CommandForm("--type=linear LV", with: converting, then: "PV ..."),
    CommandForm(
      "--type=striped LV", with: "stripes stripesize regionsize interval " + converting,
      then: "PV ..."),
    CommandForm(
      "--type=mirror LV",
      with: "mirrors stripes stripesize regionsize interval mirrorlog " + converting, then: "PV ..."
    ),
    CommandForm(
      "--type=raid LV", with: "mirrors stripes stripesize regionsize interval " + converting,
      then: "PV ..."),
    CommandForm(
      "--mirrors LV", with: "regionsize interval mirrorlog " + converting, then: "PV ..."),
    CommandForm(
      "--stripes LV_raid", with: "interval regionsize stripesize " + converting, then: "PV ..."),
    CommandForm("--stripesize LV_raid", with: "interval regionsize " + converting),
    CommandForm("--regionsize LV_raid", with: converting),
    CommandForm("--splitmirrors --name LV_raid1_mirror_cache", with: converting, then: "PV ..."),
    CommandForm("--splitmirrors --trackchanges LV_raid1_cache", with: converting, then: "PV ..."),
    CommandForm("--mergemirrors VG|LV_linear_raid|Tag ...", with: converting),
    CommandForm("--mirrorlog LV_mirror", with: converting, then: "PV ..."),
    CommandForm(
      "--type=thin --thinpool LV_linear_striped_raid_cache_thin_error_zero",
      with: "thin originname " + convertedPool + " " + converting,
      excluding: [("poolmetadata", "readahead stripesize stripes")]),
    CommandForm(
      "--thin --thinpool LV_linear_striped_raid_cache_thin_error_zero",
      with: "originname " + convertedPool + " " + converting,
      types: ["thin"], excluding: [("poolmetadata", "readahead stripesize stripes")]),
    CommandForm(
      "--type=cache --cachepool LV_linear_striped_raid_thinpool_vdo_vdopool_vdopooldata",
      with: "cache " + convertedCache + " " + convertedPool + " " + converting,
      excluding: [("poolmetadata", "readahead stripesize stripes")]),
    CommandForm(
      "--cache --cachepool LV_linear_striped_raid_thinpool_vdo_vdopool_vdopooldata",
      with: convertedCache + " " + convertedPool + " " + converting,
      types: ["cache"], excluding: [("poolmetadata", "readahead stripesize stripes")]),
    CommandForm(
      "--type=writecache --cachevol LV_linear_striped_raid_thinpool",
      with: "cachesettings " + converting),
    CommandForm(
      "--type=cache --cachevol LV_linear_striped_raid_thinpool",
      with: "cache poolmetadatasize chunksize " + convertedCache + " " + converting),
    CommandForm(
      "--cache --cachevol LV_linear_striped_raid_thinpool",
      with: "poolmetadatasize chunksize " + convertedCache + " " + converting),
    CommandForm(
      "--type=writecache --cachedevice LV_linear_striped_raid_thinpool",
      with: "cachesize cachesettings " + converting),
    CommandForm(
      "--type=cache --cachedevice LV_linear_striped_raid_thinpool",
      with: "cachesize cachesettings chunksize " + converting),
    CommandForm(
      "--type=thin-pool LV_linear_striped_raid_cache_writecache_error_zero",
      with: "stripes stripesize " + convertedThinPool + " " + convertedPool + " " + converting,
      then: "PV ...", excluding: [("poolmetadata", "readahead stripesize stripes")]),
    CommandForm(
      "--thinpool",
      with: "stripes stripesize " + convertedThinPool + " " + convertedPool + " " + converting,
      then: "PV ...", types: ["thin-pool"],
      excluding: [("poolmetadata", "readahead stripesize stripes")]),
    CommandForm(
      "--type=cache-pool LV_linear_striped_raid",
      with: convertedCache + " " + convertedPool + " " + converting,
      then: "PV ...", excluding: [("poolmetadata", "readahead stripesize stripes")]),
    CommandForm(
      "--cachepool",
      with: "type=cache-pool " + convertedCache + " " + convertedPool + " " + converting,
      then: "PV ...", excluding: [("poolmetadata", "readahead stripesize stripes")]),
    CommandForm(
      "--type=vdo-pool LV_linear_striped_raid_cache",
      with: "name virtualsize " + convertedVDO + " " + converting),
    CommandForm(
      "--vdopool",
      with: "name virtualsize " + convertedVDO + " "
        + "" + converting, types: ["vdo-pool"]),
    CommandForm(
      "--splitcache LV_cachepool_cache_thinpool_vdopool_writecache",
      with: "cachesettings " + converting),
    CommandForm(
      "--uncache LV_cache_thinpool_vdopool_writecache", with: "cachesettings " + converting),
    CommandForm(
      "--swapmetadata --poolmetadata LV_thinpool_cachepool", with: "chunksize " + converting),
    CommandForm(
      "--merge VG|LV_linear_striped_raid_thin_snapshot|Tag ...",
      with: "background interval " + converting),
    CommandForm("--mergethin LV_thin ...", with: converting),
    CommandForm("--mergesnapshot LV_snapshot ...", with: "background interval " + converting),
    CommandForm("--splitsnapshot LV_snapshot", with: converting),
    CommandForm(
      "--type=snapshot LV LV_linear_striped", with: "snapshot chunksize zero " + converting),
    CommandForm(
      "--snapshot LV LV_linear_striped", with: "chunksize zero " + converting, types: ["snapshot"]),
    CommandForm(
      "--repair LV_cache_cachepool_mirror_raid_thinpool",
      with: "usepolicies interval poolmetadataspare " + converting, then: "PV ..."),
    CommandForm("--replace LV_raid", with: converting, then: "PV ..."),
    CommandForm("--startpoll LV_mirror_raid", with: converting),
    CommandForm("LV_mirror_raid", with: converting),
    CommandForm(
      "--raidintegrity LV_raid", with: "raidintegritymode raidintegrityblocksize " + converting,
      then: "PV ..."),
  ]
}
