import ClusterTypes
import Testing

@testable import Fencing

@Suite struct DeviceMonitoringTests {
  private func scene(_ monitoring: FenceDevice.Monitoring = .monitor) -> MachineScene {
    var scene = MachineScene(
      [.device("ipmi", monitoring: monitoring)], levels: ["n3": [["ipmi"]], "n2": [["ipmi"]]])
    scene.pass(milliseconds: 0)
    return scene
  }

  @Test func `other devices are tried out at once, those that stay are still known`() {
    var scene = scene()
    scene.end("ipmi", .exited(0))
    let levels = ["n3": [["ipmi"], ["pdu"]], "n2": [["ipmi"]]]
    let old = FenceDevice.device("ipmi", monitoring: .monitor)
    let nodeIDs = ["n2": MachineScene.other.id, "n3": MachineScene.victim.id]
    scene.handle(
      .topologyChanged(
        FenceTopology(
          devices: [old, .device("pdu", monitoring: .monitor)], levels: levels, nodeIDs: nodeIDs)))
    scene.pass(milliseconds: 1000)
    #expect(scene.running == ["pdu monitor -"])
    #expect(scene.machine.deviceStatus.map(\.state) == [.working, .unknown])
    scene.attempt(1, level: 2)
    #expect(scene.cancelled.count == 1, "the trial makes room for the fence")
    scene.end("pdu", .cancelled)
    #expect(scene.running == ["pdu off n3"])

    // What an attempt began with it ends with, and a changed device is another one.
    var other = old
    other.parameters = [FenceParameter("ipaddr", "192.0.2.9")]
    scene.handle(
      .topologyChanged(
        FenceTopology(devices: [other], levels: ["n3": [["ipmi"]]], nodeIDs: nodeIDs)))
    #expect(scene.machine.deviceStatus.map(\.state) == [.unknown])
    scene.end("pdu", .exited(0))
    #expect(scene.answers[1] == .some(0))
    #expect(scene.running == ["ipmi monitor -"])
    #expect(scene.runs.first?.device.parameters == other.parameters)
    scene.attempt(2, level: 2)
    #expect(scene.answers[2] == .some(nil), "there is no second level any more")
  }

  @Test func `a trial of a device that changes is stopped and says nothing of the new one`() {
    var scene = scene()
    let changed = FenceDevice.device("ipmi", retries: 3, monitoring: .monitor)
    scene.handle(
      .topologyChanged(
        FenceTopology(
          devices: [changed], levels: ["n3": [["ipmi"]]], nodeIDs: ["n3": MachineScene.victim.id])))
    #expect(scene.cancelled.count == 1)
    scene.end("ipmi", .cancelled)
    #expect(scene.machine.deviceStatus.map(\.state) == [.unknown])
    scene.pass(milliseconds: 1000)
    #expect(scene.runs.map(\.device) == [changed])
  }

  @Test func `a device is tried out at the start and every ten minutes`() {
    var scene = scene()
    #expect(scene.running == ["ipmi monitor -"])
    #expect(scene.machine.deviceStatus.map(\.state) == [.unknown])
    scene.end("ipmi", .exited(0))
    #expect(scene.machine.deviceStatus.map(\.state) == [.working])
    scene.pass(milliseconds: 599_000)
    #expect(scene.running.isEmpty)
    scene.pass(milliseconds: 1000)
    #expect(scene.running == ["ipmi monitor -"])
  }

  @Test
  func `a failing device is reported once, tried every minute, and reported when it works again`() {
    var scene = scene()
    for failures in 1...3 {
      scene.end("ipmi", .exited(1), output: "Unable to connect\n")
      #expect(scene.machine.deviceStatus.first?.failures == failures)
      scene.pass(milliseconds: 60_000)
      #expect(scene.running == ["ipmi monitor -"])
    }
    #expect(scene.reports.map(\.severity) == [.error])
    #expect(scene.reports.first?.text.contains("Unable to connect") == true)
    #expect(scene.reports.first?.text.contains("n2, n3") == true)
    scene.end("ipmi", .exited(0))
    #expect(scene.reports.map(\.severity) == [.error, .notice])
    #expect(scene.machine.deviceStatus.map(\.explanation) == [""])
  }

  @Test func `asked for the power state, a device tells on or off of its nodes in turn`() {
    var scene = scene(.status)
    #expect(scene.running == ["ipmi status n2"])
    scene.end("ipmi", .exited(2))
    #expect(scene.machine.deviceStatus.map(\.state) == [.working])
    scene.pass(milliseconds: 600_000)
    #expect(scene.running == ["ipmi status n3"])
    scene.end("ipmi", .exited(1))
    #expect(scene.machine.deviceStatus.map(\.state) == [.failing])
  }

  @Test func `a fence stops a trial of its device and waits until it is gone`() {
    var scene = scene()
    let trial = scene.runs.map(\.id)
    scene.attempt(1)
    #expect(scene.cancelled == trial)
    #expect(scene.running == ["ipmi monitor -"])
    scene.end("ipmi", .cancelled)
    #expect(scene.running == ["ipmi off n3"])
    #expect(scene.machine.deviceStatus.map(\.state) == [.unknown])
    scene.pass(milliseconds: 0)
    #expect(scene.cancelled == trial)
    scene.end("ipmi", .exited(0))
    #expect(scene.answers == [1: 0])
    #expect(scene.machine.deviceStatus.map(\.state) == [.working])
  }

  @Test func `no trial begins while a fence waits for the device`() {
    var scene = scene()
    scene.end("ipmi", .exited(0))
    scene.attempt(1)
    scene.attempt(2)
    scene.pass(milliseconds: 700_000)
    #expect(scene.running == ["ipmi off n3"])
  }
}
