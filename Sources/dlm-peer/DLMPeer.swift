import ArgumentParser
import ClusterTypes
import Glibc
import LockProtocol
import LockspacePeer
import Logging
import NIOCore

/// The command line of one lockspace member.
@main
struct DLMPeer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dlm-peer",
    abstract: "One member of a DLM lockspace, driven by JSON lines on standard input.",
    discussion: """
      Speaks the TCP protocol of Linux's fs/dlm, with kernels and with others of its kind. The
      caller plays the control plane and the user of locks; no daemon is needed.

      Each line of input is an object with "op" and an "id" of the caller's choice; each is answered
      at once with {"id":…,"ok":true}, or "ok":false and "error". Events follow as they come.

        {"id":1,"op":"start","members":[1,2,3]}       {"id":2,"op":"stop"}
        {"id":3,"op":"lock","resource":"r","mode":"EX","flags":["VALBLK"],"lvb":"00ff"}
        {"id":4,"op":"convert","lkid":1,"mode":"NL"}  {"id":5,"op":"unlock","lkid":1}
        {"id":6,"op":"cancel","lkid":1}               {"id":7,"op":"dump"}
        {"id":8,"op":"leave"}

      See dlm-peer(8).
      """)

  @Option(help: ArgumentHelp("This node's id.", valueName: "N"))
  var nodeID: Int32

  @Option(
    help: ArgumentHelp(
      "This node's IP address: where it listens and whence it connects.", valueName: "A"))
  var address: String

  @Option(help: ArgumentHelp("The TCP port of all nodes.", valueName: "P"))
  var port: UInt16 = 21064

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Another node and its address; repeatable.", valueName: "ID=ADDR"))
  var peer: [PeerArgument] = []

  @Option(help: ArgumentHelp("The name of the lockspace.", valueName: "NAME"))
  var lockspace: String

  @Option(
    name: .customLong("protocol"),
    help: ArgumentHelp("What this node speaks, 3.1 or 3.2.", valueName: "V"))
  var version: VersionArgument = .init(version: .version3dot2)

  @Option(
    help: ArgumentHelp(
      "Bytes of a lock value block, the same on all members: 32 with libdlm, 64 with OCFS2.",
      valueName: "L"))
  var lvbLength = PeerConfiguration.standardLVBLength

  @Flag(
    name: .customLong("nodir"),
    help: "The lockspace has no directory, as with 1 in the kernel's 'nodir' file.")
  var isWithoutDirectory = false

  func run() throws {
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: "dlm-peer")
    logger.logLevel = .warning
    let code: Int32
    do {
      code = try PeerProcess.run(try options(), logger: logger)
    } catch let error as ValidationError {
      throw error
    } catch {
      logger.critical("\(error)")
      code = 1
    }
    // Threads may still wait for input.
    Glibc.exit(code)
  }

  private func options() throws -> PeerProcess.Options {
    guard let node = NodeID(nodeID) else {
      throw ValidationError("\(nodeID) is no node id: it must be 1 or more.")
    }
    guard let name = LockspaceName(lockspace) else {
      throw ValidationError(
        "'\(lockspace)' cannot name a lockspace: 1 to \(LockspaceName.maximumLength) printable "
          + "characters without white space and '/'.")
    }
    guard PeerConfiguration.lvbLengths.contains(lvbLength), lvbLength.isMultiple(of: 8) else {
      let range = PeerConfiguration.lvbLengths
      throw ValidationError(
        "The LVB length must be a multiple of 8 from \(range.lowerBound) to \(range.upperBound).")
    }
    var peers: [NodeID: SocketAddress] = [:]
    for argument in peer where argument.node != node {
      guard peers[argument.node] == nil else {
        throw ValidationError("Node \(argument.node) is given twice.")
      }
      peers[argument.node] = try ipAddress(argument.address)
    }
    return PeerProcess.Options(
      configuration: PeerConfiguration(
        node: node, peers: Set(peers.keys), lockspace: name, lvbLength: lvbLength,
        usesDirectory: !isWithoutDirectory,
        processID: UInt32(bitPattern: getpid()), seed: .random(in: 0...UInt64.max)),
      address: try ipAddress(address), peers: peers, version: version.version)
  }

  private func ipAddress(_ text: String) throws -> SocketAddress {
    do {
      return try SocketAddress(ipAddress: text, port: Int(port))
    } catch {
      throw ValidationError("'\(text)' is no IP address.")
    }
  }
}

/// `ID=ADDR`.
struct PeerArgument: ExpressibleByArgument {
  let node: NodeID
  let address: String

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, let node = NodeID(parts[0]) else { return nil }
    self.node = node
    address = String(parts[1])
  }
}

struct VersionArgument: ExpressibleByArgument {
  let version: ProtocolVersion

  init(version: ProtocolVersion) { self.version = version }

  init?(argument: String) {
    switch argument {
    case "3.1": version = .version3dot1
    case "3.2": version = .version3dot2
    default: return nil
    }
  }

  var defaultValueDescription: String { version == .version3dot1 ? "3.1" : "3.2" }
  static var allValueStrings: [String] { ["3.1", "3.2"] }
}
