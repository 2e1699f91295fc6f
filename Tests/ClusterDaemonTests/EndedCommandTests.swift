import ClusterTypes
import Glibc
import LVMMetadata
import Testing
import VolumeActivation

@testable import ClusterDaemon

extension ClusterTests {
  /// Commands of LVM that end while they hold a volume group's exclusive lock, with whole daemons.
  @Suite struct EndedCommandTests {
    /// Takes the exclusive lock of vg1, and keeps it until it is killed.
    private static let command = #"""
      use Socket;
      socket(my $daemon, PF_UNIX, SOCK_STREAM, 0) or die $!;
      connect($daemon, sockaddr_un($ARGV[0])) or die $!;
      for (qq(request="hello"\n), qq(request="lock_vg"\nmode ="ex"\nvg_name ="vg1"\n)) {
        syswrite($daemon, "$_\n##\n");
        sysread($daemon, my $reply, 4096);
      }
      sleep 600;
      """#

    private func spawnCommand(on node: LoopbackNode) throws -> pid_t {
      var process: pid_t = 0
      let words: [String] = ["perl", "-e", Self.command, node.lockDaemonSocket]
      var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
      defer { for argument in arguments { free(argument) } }
      try #require(posix_spawn(&process, "/usr/bin/perl", nil, nil, &arguments, nil) == 0)
      return process
    }

    private func isHeldExclusively(_ node: LoopbackNode, by process: pid_t) async throws -> Bool {
      let locks = try await node.locks()
      return locks.contains { lock in
        lock.resource == "VGLK" && lock.grantedMode == .exclusive && lock.pid == process
      }
    }

    /// Daemons with an active volume, and the device-mapper of the first node, which has its device.
    private func withActiveVolume(
      _ body: ([LoopbackNode], LoopbackMapper, MappedDeviceUUID) async throws -> Void
    ) async throws {
      let group = try SharedGroup.make(volumes: ["a"])
      try await TestCluster.with(volumeGroup: group) { cluster in
        let nodes = try await cluster.startAll()
        for node in nodes { try await SharedGroup.start(group, on: node) }
        _ = try await SharedGroup.activate(.activateShared, asking: nodes[0])
        let mapper = LoopbackMapper(kernel: try #require(cluster.loopback.devices(of: Name.one)))
        try await body(nodes, mapper, try #require(try mapper.devices().first?.uuid))
      }
    }

    @Test func `a killed command leaves nothing suspended, and its lock waits for that`()
      async throws
    {
      try await withActiveVolume { nodes, mapper, device in
        let process = try spawnCommand(on: nodes[0])
        try await eventually("the command holds the lock") {
          try await isHeldExclusively(nodes[0], by: process)
        }
        try mapper.suspend(device, .flush)
        let other = try await LockDaemonCommand(on: nodes[1])
        try await other.send("lock_vg", ["mode": "ex", "vg_name": "vg1"])
        kill(process, SIGKILL)
        #expect(try await other.result() == 0)
        #expect(try mapper.state(of: device)?.isSuspended == false, "before the lock goes on")
        try await other.close()
        waitpid(process, nil, 0)
      }
    }

    @Test func `a device is left to a command that lives on without its connection`() async throws {
      try await withActiveVolume { nodes, mapper, device in
        // Of this very process.
        let command = try await LockDaemonCommand(on: nodes[0])
        #expect(try await command.ask("lock_vg", ["mode": "ex", "vg_name": "vg1"]) == 0)
        try mapper.suspend(device, .flush)
        try await command.close()
        let other = try await LockDaemonCommand(on: nodes[1])
        #expect(try await other.ask("lock_vg", ["mode": "ex", "vg_name": "vg1"]) == 0)
        #expect(try mapper.state(of: device)?.isSuspended == true)
        try await other.close()
      }
    }
  }
}
