import Glibc
import RealLVM
import Testing

/// The program `clvm` itself, started as an administrator starts it, takes turns with lvm.
@Suite(
  .enabled(
    if: RealLVM.obstacle == nil, "SKIPPED, clvm is not run: \(RealLVM.obstacle ?? "")"))
struct ProgramTests {
  /// Beside the program that runs the tests.
  private static let clvm: String = {
    var path = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &path, path.count - 1)
    let own = String(
      decoding: path.prefix(max(count, 0)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    return String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)]) + "/clvm"
  }()

  @Test func clvmAndLVMTakeTurns() throws {
    try #require(access(Self.clvm, X_OK) == 0, "\(Self.clvm) is not built")
    let lvm = try RealLVM(sizes: [64 << 20, 64 << 20])
    func start(_ words: String) throws -> RealLVM.Output {
      var arguments = words.split(separator: " ").map(String.init)
      arguments.insert(contentsOf: ["--devices", lvm.paths.joined(separator: ",")], at: 1)
      return try lvm.run(Self.clvm, arguments)
    }
    func clvm(_ words: String) throws -> String {
      let result = try start(words)
      try #require(result.status == 0, "\(words): \(result.output)\(result.errors)")
      return result.output
    }
    _ = try clvm("pvcreate \(lvm.paths.joined(separator: " "))")
    _ = try clvm("vgcreate vg \(lvm.paths.joined(separator: " "))")
    try lvm.succeed(["lvcreate", "-an", "-Zn", "-l", "3", "-n", "a", "vg"])
    _ = try clvm("lvcreate -an -Zn -l 4 -n b vg")
    _ = try clvm("lvextend -l +1 vg/a")
    _ = try clvm("lvrename vg a c")
    _ = try clvm("lvchange --addtag t vg/c")
    #expect(try lvm.succeed(["vgck", "vg"]) == "")
    // A selection that leaves nothing is not all there is.
    for nothing in ["-S vg_name=nosuch", "@nosuch", "-S vg_name=vg @nosuch"] {
      for change in ["vgchange -ay", "vgchange -an", "vgchange --addtag q", "vgremove -y"] {
        #expect(try clvm("\(change) \(nothing)") == "", "\(change) \(nothing)")
      }
    }
    for nothing in ["-S lv_name=nosuch vg", "@nosuch"] {
      for change in ["lvchange -ay", "lvchange -an", "lvchange --addtag q", "lvremove -y"] {
        #expect(try clvm("\(change) \(nothing)") == "", "\(change) \(nothing)")
      }
    }
    let words = "-o lv_name,lv_size,lv_tags --noheadings"
    #expect(
      try clvm("lvs \(words) vg")
        == lvm.succeed(["lvs"] + words.split(separator: " ").map(String.init) + ["vg"]))
    for report in [
      "pvs", "vgs", "lvs", "pvdisplay", "vgdisplay", "lvdisplay", "pvscan", "vgscan", "lvscan",
    ] {
      #expect(try clvm(report) != "", "\(report) prints nothing")
    }
    // Whether an option is about the report is for --configreport to say.
    for line in [
      "lvs -o lv_name --configreport pv -o pv_name --configreport lv -O -lv_name",
      "lvs --segments --configreport seg -o seg_start", "vgs --se", "lvs --se", "lvs -x", "lvs -o",
      "lvs --units x", "lvs --units m --units g", "lvs -aolv_name", "lvs a/b/c", "vgs a/b",
      "lvs --configreport foo", "lvs --reportformat foo", "lvs vg/nosuch", "vgscan nosuch",
      "lvdisplay -C -m", "vgdisplay -o vg_name", "pvdisplay -c -s",
      "fullreport -o vg_name --configreport vg -o vg_name --configreport pv -o pv_name "
        + "--configreport lv -o lv_name -S lv_name=c --configreport pvseg -o pvseg_start "
        + "--configreport seg -o seg_start",
    ] {
      let words = line.split(separator: " ").map(String.init)
      let theirs = try lvm(words)
      let ours = try start(line)
      #expect(ours.status == theirs.status, "\(line)")
      #expect(ours.output == theirs.output, "\(line)")
      // Each tells in its own words that there is no device-mapper.
      func lines(_ errors: String) -> [Substring] {
        errors.split(separator: "\n").filter {
          !$0.contains("Activation disabled") && !$0.contains("States of devices are not shown")
        }
      }
      #expect(lines(ours.errors) == lines(theirs.errors), "\(line)")
    }
    let dump = "pvck --dump metadata -f \(lvm.folder)/dumped \(lvm.paths[0])"
    _ = try clvm(dump)
    let dumped = try lvm.bytes(of: "dumped")
    #expect(String(decoding: dumped, as: UTF8.self).contains("vg {"))
    let again = try start(dump)
    #expect(again.status == 5 && again.errors.contains("Failed to create file"))
    #expect(try lvm.bytes(of: "dumped") == dumped)
    _ = try clvm("vgcfgbackup -f \(lvm.folder)/vg.saved vg")
    _ = try clvm("lvremove -y vg/b")
    _ = try clvm("vgck vg")
    _ = try clvm("vgreduce vg \(lvm.paths[1])")
    _ = try clvm("lvremove -y vg/c")
    _ = try clvm("vgremove vg")
    _ = try clvm("pvremove \(lvm.paths[0])")
    #expect(try lvm.succeed(["pvs", "--noheadings", "-o", "pv_name"]).contains(lvm.paths[1]))
  }
}
