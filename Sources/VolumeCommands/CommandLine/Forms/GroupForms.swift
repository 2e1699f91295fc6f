/// The forms of the commands about volume groups.
extension CommandForm {
  private static let changing =
    "autobackup ignoremonitoring noudevsync reportformat select force"

  private static let changedProperties =
    "addtag deltag logicalvolume maxphysicalvolumes alloc uuid pvmetadatacopies "
    + "vgmetadatacopies physicalextentsize resizeable profile detachprofile metadataprofile "
    + "setautoactivation"

  private static let reducing =
    "autobackup force reportformat"

  private static let restoring =
    "force metadatatype"

  /// vgcreate(8).
  static let vgcreate: [CommandForm] = [
    CommandForm(
      "VG_new PV ...",
      with:
        "addtag alloc autobackup clustered maxlogicalvolumes maxphysicalvolumes "
        + "metadataprofile metadatatype physicalextentsize force zero labelsector "
        + "metadatasize pvmetadatacopies vgmetadatacopies reportformat dataalignment "
        + "dataalignmentoffset shared systemid locktype setautoactivation"
    )
  ]

  /// vgextend(8).
  static let vgextend: [CommandForm] = [
    CommandForm(
      "VG PV ...",
      with:
        "autobackup force zero labelsector metadatatype metadatasize pvmetadatacopies "
        + "metadataignore dataalignment dataalignmentoffset reportformat restoremissing"
    )
  ]

  /// vgreduce(8).
  static let vgreduce: [CommandForm] = [
    CommandForm("VG PV ...", with: reducing),
    CommandForm("--all VG", with: reducing),
    CommandForm("--removemissing VG", with: "mirrorsonly " + reducing),
  ]

  /// vgremove(8).
  static let vgremove: [CommandForm] = [
    CommandForm("VG|Tag|Select ...", with: "force noudevsync reportformat select")
  ]

  /// vgrename(8).
  static let vgrename: [CommandForm] = [
    CommandForm("VG VG_new", with: "autobackup force reportformat"),
    CommandForm("String VG_new", with: "autobackup force reportformat"),
  ]

  /// vgchange(8).
  static let vgchange: [CommandForm] = [
    CommandForm(
      "", anyOf: changedProperties, with: "poll " + changing, then: "VG|Tag|Select ...",
      ignoring: "ignoreskippedcluster"),
    CommandForm(
      "--monitor", with: "sysinit ignorelockingfailure poll " + changing, then: "VG|Tag|Select ...",
      ignoring: "ignoreskippedcluster"),
    CommandForm(
      "--poll", with: "ignorelockingfailure " + changing, then: "VG|Tag|Select ...",
      ignoring: "ignoreskippedcluster"),
    CommandForm(
      "--activate",
      with:
        "activationmode ignoreactivationskip partial sysinit readonly ignorelockingfailure "
        + "monitor poll autoactivation "
        + changing, then: "VG|Tag|Select ...", ignoring: "ignoreskippedcluster"),
    CommandForm(
      "--refresh", with: "sysinit ignorelockingfailure poll " + changing, then: "VG|Tag|Select ...",
      ignoring: "ignoreskippedcluster"),
    CommandForm("--systemid VG"),
    CommandForm("--lockstart", with: "select", then: "VG|Tag|Select ..."),
    CommandForm("--lockstop", with: "select", then: "VG|Tag|Select ..."),
    CommandForm("--locktype VG"),
  ]

  /// vgck(8).
  static let vgck: [CommandForm] = [
    CommandForm("", with: "reportformat", then: "VG|Tag ..."),
    CommandForm("--updatemetadata VG"),
  ]

  /// vgcfgbackup(8).
  static let vgcfgbackup: [CommandForm] = [
    CommandForm(
      "", with: "file foreign ignorelockingfailure readonly reportformat", then: "VG ...",
      ignoring: "partial")
  ]

  /// vgcfgrestore(8).
  static let vgcfgrestore: [CommandForm] = [
    CommandForm("VG", with: restoring),
    CommandForm("--file VG", with: restoring),
    CommandForm("--list VG", with: restoring),
    CommandForm("--list --file", with: restoring, then: "VG"),
  ]
}
