/// The forms of the commands that list.
extension CommandForm {
  private static let reporting =
    "aligned all binary configreport foreign ignorelockingfailure logonly nameprefixes "
    + "noheadings nosuffix options readonly reportformat rows select separator shared sort "
    + "unbuffered units unquoted"

  /// pvs(8).
  static let pvs: [CommandForm] = [
    CommandForm(
      "", with: "segments " + reporting, then: "PV|Tag ...",
      ignoring: "partial ignoreskippedcluster trustcache")
  ]

  /// vgs(8).
  static let vgs: [CommandForm] = [
    CommandForm(
      "", with: reporting, then: "VG|Tag ...", ignoring: "partial ignoreskippedcluster trustcache")
  ]

  /// lvs(8).
  static let lvs: [CommandForm] = [
    CommandForm(
      "", with: "history segments " + reporting, then: "VG|LV|Tag ...",
      ignoring: "partial ignoreskippedcluster trustcache")
  ]

  /// fullreport(8).
  static let fullreport: [CommandForm] = [
    CommandForm(
      "", with: reporting, then: "VG ...", ignoring: "partial ignoreskippedcluster trustcache")
  ]

  /// pvdisplay(8).
  static let pvdisplay: [CommandForm] = [
    CommandForm(
      "",
      with:
        "aligned all binary colon columns configreport foreign ignorelockingfailure logonly "
        + "maps noheadings nosuffix options readonly select separator shared short sort "
        + "unbuffered units",
      then: "PV|Tag ...", ignoring: "ignoreskippedcluster reportformat")
  ]

  /// vgdisplay(8).
  static let vgdisplay: [CommandForm] = [
    CommandForm(
      "",
      with:
        "activevolumegroups aligned binary colon columns configreport foreign "
        + "ignorelockingfailure logonly noheadings nosuffix options readonly select shared "
        + "short separator sort unbuffered units",
      then: "VG|Tag ...", ignoring: "partial ignoreskippedcluster reportformat")
  ]

  /// lvdisplay(8).
  static let lvdisplay: [CommandForm] = [
    CommandForm(
      "",
      with:
        "aligned all binary colon columns configreport foreign history ignorelockingfailure "
        + "logonly maps noheadings nosuffix options sort readonly segments select separator "
        + "shared unbuffered units",
      then: "VG|LV|Tag ...", ignoring: "partial ignoreskippedcluster reportformat")
  ]

  /// pvscan(8).
  static let pvscan: [CommandForm] = [
    CommandForm("", with: "ignorelockingfailure reportformat exported novolumegroup short uuid"),
    CommandForm(
      "--cache", with: "ignorelockingfailure reportformat major minor noudevsync",
      then: "String|PV ...", ignoring: "background"),
    CommandForm(
      "--cache --activate=ay",
      with: "ignorelockingfailure reportformat major minor noudevsync autoactivation",
      then: "String|PV ...", ignoring: "background"),
    CommandForm(
      "--cache --listvg PV",
      with: "ignorelockingfailure checkcomplete vgonline udevoutput autoactivation"),
    CommandForm("--cache --listlvs PV", with: "ignorelockingfailure checkcomplete vgonline"),
    CommandForm("--listlvs PV"),
    CommandForm("--listvg PV"),
  ]

  /// vgscan(8).
  static let vgscan: [CommandForm] = [
    CommandForm(
      "", with: "ignorelockingfailure mknodes notifydbus reportformat", ignoring: "partial cache")
  ]

  /// lvscan(8).
  static let lvscan: [CommandForm] = [
    CommandForm(
      "", with: "all blockdevice ignorelockingfailure readonly reportformat",
      ignoring: "partial cache")
  ]
}
