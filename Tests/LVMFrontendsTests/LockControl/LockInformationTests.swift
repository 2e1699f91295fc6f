import Testing

@testable import LVMFrontends

/// lvmlockctl's text is made of lvmlockd's lines exactly as the recorded original made it.
@Suite struct LockInformationTests {
  @Test func `the text is that of LVM's own lvmlockctl`() throws {
    let recording = try Recording("34-lvmlockctl-info-dump")
    let outputs = recording.lines.filter { $0.dir == "stdout" }.map(\.text)
    let raw = try #require(outputs.first { $0.hasPrefix("info=structs") })
    let shown = try #require(outputs.first { $0.hasPrefix("VG ") })
    // The original prints the global lockspace's empty values in a broken line.
    let known = "VG vg_uuid= lock_type= \nLS  lvm_global\n"
    #expect(shown.hasPrefix(known))
    let ours = LockInformation(raw).text
    let (first, rest) = ("VG  lock_type=dlm \nLS dlm lvm_global\n", shown.dropFirst(known.count))
    #expect(ours == first + rest.dropLast(shown.hasSuffix("\n\n") ? 1 : 0))
  }

  @Test func `holders, waiters and other operations are told with their commands`() {
    var cluster = TestCluster()
    #expect(cluster.start("vg1") == 0)
    let holder = cluster.connect()
    #expect(cluster.ask(Request.vg("ex"), from: holder) == 0)
    let waiter = cluster.connect()
    cluster.send(Request.vg("sh"), from: waiter)
    let activating = cluster.connect()
    #expect(cluster.ask(Request.lv("sh", persistent: true), from: activating) == 0)
    cluster.isHeldBack = true
    let starting = cluster.connect()
    cluster.send(
      """
      request="start_vg" cmd="vgchange" vg_name="vg2" vg_lock_type="dlm" vg_lock_args="1.0.0:lab"
      """, from: starting)
    let looking = cluster.connect()
    cluster.send("request=\"info\"", from: looking)
    let dump = cluster.nodes[TestCluster.node1]?.dumps.last ?? ""
    #expect(
      LockInformation(dump).text == """
        VG . lock_type=dlm .
        LS dlm lvm_global

        VG vg1 lock_type=dlm UU
        LS dlm lvm_vg1
        LK VG ex ver 0 pid \(holder.id) (vgs)
        LW VG sh ver 0 pid \(waiter.id) (vgs)
        LK LV sh u1

        VG vg2 lock_type=dlm .
        LS dlm lvm_vg2
        OP start pid \(starting.id) (vgchange)

        """)
  }

  @Test func `lines that make no sense are left out`() {
    #expect(
      LockInformation("info=lk mode=ex\nnonsense\ninfo=\n\ninfo=r_action op=lock").text.isEmpty)
  }
}
