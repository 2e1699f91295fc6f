import ClusterMembership
import Testing

@testable import ClusterDaemon

@Suite struct MachineFactsTests {
  @Test(arguments: [
    ("vendor_id\t: GenuineIntel\nflags\t\t: fpu vme hypervisor lahf_lm\n", true),
    ("vendor_id\t: GenuineIntel\nflags\t\t: fpu vme lahf_lm\n", false),
    ("vendor_id\t: User Mode Linux\nmodel name\t: UML\n", true),
    ("model name\t: a hypervisor\n", false), ("", false),
  ])
  func `a virtual machine is known by its processor`(text: String, isVirtual: Bool) {
    #expect(MachineFacts.isVirtual(cpuInformation: text) == isVirtual)
  }

  @Test func `a machine cannot sleep if its kernel does not or systemd may not`() {
    let all: Set<String> = ["sleep.target", "suspend.target", "hibernate.target"]
    #expect(MachineFacts.cannotSleep(states: "\n", maskedTargets: []))
    #expect(MachineFacts.cannotSleep(states: "freeze mem disk\n", maskedTargets: all))
    #expect(!MachineFacts.cannotSleep(states: "freeze mem disk\n", maskedTargets: ["sleep.target"]))
  }

  @Test func `only a device outside a virtual machine is hardware`() {
    #expect(MachineFacts.kind(identity: "iTCO_wdt", isVirtual: false) == .hardware)
    #expect(MachineFacts.kind(identity: "i6300ESB timer", isVirtual: true) == .hypervisor)
    #expect(MachineFacts.kind(identity: "Software Watchdog", isVirtual: false) == .softdog)
  }
}
