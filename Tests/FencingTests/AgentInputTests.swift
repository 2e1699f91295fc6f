import ClusterTypes
import Glibc
import Testing

@testable import Fencing

@Suite struct AgentInputTests {
  private func run(_ device: FenceDevice, _ action: FenceAction = .off) -> AgentRun {
    AgentRun(
      id: 1, device: device, action: action,
      node: action == .monitor ? nil : MachineScene.victim, timeoutMilliseconds: 1000)
  }

  @Test func `settings, secrets and then what is to be done are lines of key and value`() throws {
    var device = FenceDevice.device("ipmi")
    device.parameters = [FenceParameter("ip", "192.0.2.1"), FenceParameter("lanplus", "1")]
    device.ports = ["n3": "outlet 7"]
    let input = try AgentInput(run(device), secrets: [FenceParameter("password", "a=b c")])
    #expect(
      String(decoding: input.bytes, as: UTF8.self) == """
        ip=192.0.2.1
        lanplus=1
        password=a=b c
        action=off
        plug=outlet 7
        port=outlet 7
        nodename=n3
        nodeid=3

        """)
    let monitor = try AgentInput(run(device, .monitor), secrets: [])
    #expect(
      String(decoding: monitor.bytes, as: UTF8.self) == "ip=192.0.2.1\nlanplus=1\naction=monitor\n")
  }

  @Test(arguments: [
    FenceParameter("ip", "192.0.2.1\naction=on"), FenceParameter("ip", "a\rb"),
    FenceParameter("ip", "a\0b"), FenceParameter("action", "on"), FenceParameter("port", "2"),
    FenceParameter("", "1"), FenceParameter("a b", "1"), FenceParameter("a\n", "1"),
    FenceParameter("ip", String(repeating: "x", count: 5000)),
  ])
  func `nothing can be smuggled into the input`(parameter: FenceParameter) {
    var device = FenceDevice.device("ipmi")
    device.parameters = [parameter]
    #expect(throws: FenceInputError.self) { try AgentInput(run(device), secrets: []) }
    #expect(throws: FenceInputError.self) {
      try AgentInput(run(.device("ipmi")), secrets: [parameter])
    }
  }

  @Test func `secrets are cut out of what a program printed, also when one is part of another`()
    throws
  {
    let input = try AgentInput(
      run(.device("ipmi")),
      secrets: [FenceParameter("password", "abc"), FenceParameter("passwd", "abcdef")])
    #expect(input.redact("login abcdef, then abc!") == "login ***, then ***!")
  }

  @Test func `a secrets file must belong to root alone`() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/secrets"
    try folder.write("# for the boards\npassword=p#w=1\n\nuser=x\n", to: path, mode: 0o600)
    #expect(
      try SecretsFile.read(path) == [
        FenceParameter("password", "p#w=1"), FenceParameter("user", "x"),
      ])
    for mode: mode_t in [0o640, 0o604, 0o660] {
      #expect(chmod(path, mode) == 0)
      #expect(throws: FenceInputError.self) { try SecretsFile.read(path) }
    }
    #expect(chmod(path, 0o600) == 0)
    #expect(symlink(path, folder.path + "/link") == 0)
    for other in ["/link", "", "/nothing"] {
      #expect(throws: FenceInputError.self) { try SecretsFile.read(folder.path + other) }
    }
  }

  @Test(arguments: ["password", "password=a\nport=1", "=x", "a=b\n\u{0}=c"])
  func `an error in a secrets file names the line and not the secret`(text: String) throws {
    let error = #expect(throws: FenceInputError.self) {
      try SecretsFile.parse(Array(text.utf8), path: "/etc/secrets")
    }
    #expect(error?.description.contains("line") == true)
  }

  @Test func `placeholders of a command`() {
    #expect(
      "--node=%n/%i 100%% %x %".replacingPlaceholders(MachineScene.victim)
        == "--node=n3/3 100% %x %")
  }
}
