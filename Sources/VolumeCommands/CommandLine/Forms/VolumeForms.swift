/// The forms of the other commands about logical volumes.
extension CommandForm {
  private static let changing =
    "autobackup force ignoremonitoring noudevsync reportformat select"

  private static let changedProperties =
    "addtag deltag alloc contiguous compression deduplication detachprofile metadataprofile "
    + "profile permission readahead setactivationskip setautoactivation errorwhenfull "
    + "discards zero cachemode cachepolicy cachesettings minrecoveryrate maxrecoveryrate "
    + "vdosettings writebehind writemostly persistent=n"

  /// lvchange(8).
  static let lvchange: [CommandForm] = [
    CommandForm(
      "VG|LV|Tag|Select ...", anyOf: changedProperties, with: "activate poll monitor " + changing,
      ignoring: "ignoreskippedcluster",
      excluding: [
        ("contiguous", "alloc"), ("profile", "detachprofile"), ("metadataprofile", "detachprofile"),
      ]),
    CommandForm(
      "--resync VG|LV|Tag|Select ...", with: "activate " + changing,
      ignoring: "ignoreskippedcluster"),
    CommandForm(
      "--syncaction VG|LV|Tag|Select ...", with: changing, ignoring: "ignoreskippedcluster"),
    CommandForm("--rebuild VG|LV|Tag|Select ...", with: changing, ignoring: "ignoreskippedcluster"),
    CommandForm(
      "--activate VG|LV|Tag|Select ...",
      with:
        "activationmode partial poll monitor ignoreactivationskip ignorelockingfailure sysinit "
        + "readonly "
        + changing, ignoring: "ignoreskippedcluster"),
    CommandForm(
      "--refresh VG|LV|Tag|Select ...", with: "activationmode partial poll monitor " + changing,
      ignoring: "ignoreskippedcluster"),
    CommandForm("--monitor VG|LV|Tag|Select ...", with: changing, ignoring: "ignoreskippedcluster"),
    CommandForm(
      "--poll VG|LV|Tag|Select ...", with: "monitor " + changing, ignoring: "ignoreskippedcluster"),
    CommandForm(
      "--persistent=y --minor LV", with: "major activate poll monitor " + changing,
      ignoring: "ignoreskippedcluster"),
  ]

  /// lvextend(8).
  static let lvextend: [CommandForm] = [
    CommandForm(
      "--size LV",
      with:
        "alloc autobackup force mirrors nofsck nosync noudevsync reportformat resizefs stripes "
        + "stripesize poolmetadatasize type",
      then: "PV ..."),
    CommandForm(
      "LV PV ...",
      with:
        "alloc autobackup force mirrors nofsck nosync noudevsync reportformat resizefs stripes "
        + "stripesize type"
    ),
    CommandForm(
      "--poolmetadatasize LV",
      with:
        "alloc autobackup force mirrors nofsck nosync noudevsync reportformat stripes "
        + "stripesize type",
      then: "PV ..."),
    CommandForm(
      "--usepolicies LV",
      with: "alloc autobackup force mirrors nofsck nosync noudevsync reportformat resizefs type",
      then: "PV ..."),
  ]

  /// lvreduce(8).
  static let lvreduce: [CommandForm] = [
    CommandForm("--size LV", with: "autobackup force nofsck noudevsync reportformat resizefs")
  ]

  /// lvresize(8).
  static let lvresize: [CommandForm] = [
    CommandForm(
      "--size LV",
      with:
        "alloc autobackup force nofsck nosync noudevsync reportformat resizefs stripes "
        + "stripesize poolmetadatasize type",
      then: "PV ..."),
    CommandForm(
      "LV PV ...",
      with:
        "alloc autobackup force nofsck nosync noudevsync reportformat resizefs stripes "
        + "stripesize type"
    ),
    CommandForm(
      "--poolmetadatasize LV",
      with: "alloc autobackup force nofsck nosync noudevsync reportformat stripes stripesize type",
      then: "PV ..."),
  ]

  /// lvrename(8).
  static let lvrename: [CommandForm] = [
    CommandForm("VG LV LV_new", with: "autobackup noudevsync reportformat"),
    CommandForm("LV LV_new", with: "autobackup noudevsync reportformat"),
  ]

  /// lvremove(8).
  static let lvremove: [CommandForm] = [
    CommandForm(
      "VG|LV|Tag|Select ...", with: "autobackup force nohistory noudevsync reportformat select")
  ]
}
