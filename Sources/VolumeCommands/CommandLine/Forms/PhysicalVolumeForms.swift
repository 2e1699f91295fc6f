/// The forms of the commands about physical volumes and devices.
extension CommandForm {
  private static let changing =
    "autobackup force reportformat uuid"

  private static let changedProperties =
    "allocatable addtag deltag uuid metadataignore"

  /// pvcreate(8).
  static let pvcreate: [CommandForm] = [
    CommandForm(
      "PV ...",
      with:
        "dataalignment dataalignmentoffset bootloaderareasize force labelsector metadatatype "
        + "pvmetadatacopies metadatasize metadataignore norestorefile setphysicalvolumesize "
        + "reportformat restorefile uuid zero",
      excluding: [("norestorefile", "restorefile"), ("bootloaderareasize", "restorefile")])
  ]

  /// pvremove(8).
  static let pvremove: [CommandForm] = [
    CommandForm("PV ...", with: "force reportformat")
  ]

  /// pvresize(8).
  static let pvresize: [CommandForm] = [
    CommandForm("PV ...", with: "setphysicalvolumesize reportformat")
  ]

  /// pvchange(8).
  static let pvchange: [CommandForm] = [
    CommandForm(
      "--all", anyOf: changedProperties, with: changing, ignoring: "ignoreskippedcluster"),
    CommandForm(
      "PV|Select ...", anyOf: changedProperties, with: "select " + changing,
      ignoring: "ignoreskippedcluster"),
  ]

  /// pvmove(8).
  static let pvmove: [CommandForm] = [
    CommandForm(
      "PV", with: "abort alloc atomic autobackup background interval name noudevsync reportformat",
      then: "PV ..."),
    CommandForm("", with: "abort background interval"),
  ]

  /// lvmdevices(8).
  static let lvmdevices: [CommandForm] = [
    CommandForm(""),
    CommandForm("--check"),
    CommandForm("--update"),
    CommandForm("--adddev", with: "deviceidtype"),
    CommandForm("--deldev", with: "deviceidtype"),
    CommandForm("--addpvid", with: "deviceidtype"),
    CommandForm("--delpvid"),
  ]
}
