import Testing

@testable import VolumeCommands

/// How words become a command, without a disk in sight.
@Suite struct CommandLineTests {
  private func refusal(_ line: String) throws -> [String] {
    var words = line.split(separator: " ").map(String.init)
    let name = words.removeFirst()
    let type = try #require(groupCommands.first { $0.name == name })
    do throws(CommandLineError) {
      _ = try type.init(words: words)
      return []
    } catch {
      return error.messages
    }
  }

  @Test(arguments: [
    "lvcreate -an -Zn -l1 vg", "lvcreate -l 10%FREE -n vg/a --thinpool p -V1g vg",
    "lvcreate --type mirror -m1 --corelog -L1g vg", "lvcreate --size=1g --na a vg pv0:0-5",
    "lvchange --addtag t --deltag u vg/a @t", "lvchange -S lv_name=a -pr", "lvremove -ffy vg",
    "lvextend -r -L+1g /dev/vg/a", "lvresize --poolmetadatasize +4m vg/pool",
    "lvrename vg a b", "vgchange --resizable n", "vgchange --metadatacopies all vg",
    "lvconvert --type thin-pool vg/a", "lvconvert -H --cachepool p vg/a", "lvcreate -l1 -- vg",
  ]) func isTaken(line: String) throws {
    #expect(try refusal(line) == [], "\(line)")
  }

  @Test(arguments: [
    ("lvchange --resync vg/a", "clvm lvchange does not do --resync: use LVM's own lvchange."),
    ("lvchange --monitor y vg", "clvm lvchange does not do --monitor: use LVM's own lvchange."),
    ("lvcreate --vdo -L1g vg", "clvm lvcreate does not do --vdo: use LVM's own lvcreate."),
    ("lvcreate -l 4 vg -I 64k", "Command does not accept option: --stripesize 64k."),
    (
      "lvcreate -l 4 --addtag t -s vg/a --type error", "Command does not accept option: --snapshot."
    ),
    ("lvcreate -l 4 --type error vg pv0", "Command does not accept argument: pv0."),
    ("lvreduce -L1g vg/a pv0", "Command does not accept argument: pv0."),
    (
      "lvchange -Cy --alloc cling vg/a",
      "Command does not accept option combination: --contiguous  with --alloc "
    ),
    ("lvremove --sock x vg", "lvremove: unrecognized option '--sock'"),
    ("lvremove --foo=x vg", "lvremove: unrecognized option '--foo=x'"),
    ("lvremove -Q vg", "lvremove: invalid option -- 'Q'"),
    ("lvremove --config", "lvremove: option '--config' requires an argument"),
    ("lvremove --force=y vg", "lvremove: option '--force' doesn't allow an argument"),
    ("lvremove -y --yes vg", "Option -y/--yes may not be repeated."),
    ("lvcreate -l1 -Zyes vg", "Invalid argument for --zero: yes"),
    ("lvcreate -L-1g vg", "Size may not be negative."),
    ("lvreduce -l+1 vg/a", "Extents may not be positive."),
    ("lvextend -L0 vg/a", "--size may not be zero."),
    (
      "lvrename a",
      "No command with matching syntax recognised.  Run 'lvrename --help' for more information."
    ),
    (
      "lvrename vg/a wg/b",
      "Logical volume names must have the same volume group (\"vg\" or \"wg\")"
    ),
    ("lvchange --addtag t vg/a/b", "\"vg/a/b\": Invalid path for Logical Volume."),
    (
      "vgchange --resizable n --resizeable y vg",
      "--resizable and --resizeable are synonyms.  Please only supply one."
    ),
  ]) func isRefused(line: String, message: String) throws {
    #expect(try refusal(line).first == message, "\(line)")
  }

  @Test func anAmbiguousNameTellsAllThatItMayMean() throws {
    #expect(
      try refusal("lvreduce --no vg/a").first
        == "lvreduce: option '--no' is ambiguous; possibilities: '--nohints' '--nolocking' "
        + "'--noudevsync' '--nofsck'")
  }

  /// What the tables of forms name is in the table of options, and has what it needs.
  @Test(arguments: [
    "lvchange", "lvconvert", "lvcreate", "lvextend", "lvreduce", "lvremove", "lvrename",
    "lvresize", "vgcfgbackup", "vgcfgrestore", "vgchange", "vgck", "vgcreate", "vgextend",
    "vgreduce", "vgremove", "vgrename", "pvchange", "pvcreate", "pvmove", "pvremove", "pvresize",
    "lvmdevices", "pvs", "vgs", "lvs", "fullreport", "pvdisplay", "vgdisplay", "lvdisplay",
    "pvscan", "vgscan", "lvscan",
  ]) func formsNameKnownOptions(command: String) throws {
    let syntax = try #require(CommandSyntax(command))
    for form in syntax.forms {
      for name in form.optionNames {
        #expect(OptionSpecification.named(name) != nil, "\(command) --\(name)")
      }
    }
    let letters = syntax.options.compactMap(\.letter)
    #expect(Set(letters).count == letters.count, "\(command): a letter has two meanings")
  }
}
