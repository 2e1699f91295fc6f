// swift-tools-version: 6.2
import PackageDescription

// Every target is a wall: a core target depends on no I/O module, and `Tests/TidyTests` checks it.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// A module and its dependencies; its tests are in `Tests/<name>Tests`.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.init(stringLiteral: name)] + dependencies,
    swiftSettings: strict)
}

let package = Package(
  name: "clvmd",
  products: [
    .executable(name: "clvmd", targets: ["clvmd"]),
    .executable(name: "clvm", targets: ["clvm"]),
    .executable(name: "clvmd-keeper", targets: ["clvmd-keeper"]),
    .executable(name: "lvmlockctl", targets: ["lvmlockctl"]),
    .executable(name: "dlm-peer", targets: ["dlm-peer"]),
    .executable(name: "lock-benchmark", targets: ["LockBenchmark"]),
    .executable(name: "clvm-membership-sim", targets: ["MembershipSimulator"]),
    .executable(name: "clvm-volume-sim", targets: ["VolumeSimulator"]),
    .executable(name: "clvm-fuzz", targets: ["FuzzCommand"]),
    .executable(name: "clvm-sim", targets: ["SimulationCommand"]),
    .executable(name: "metadata-benchmark", targets: ["MetadataBenchmark"]),
    .executable(name: "volume-benchmark", targets: ["VolumeBenchmark"]),
    .library(name: "DistributedLockManager", targets: ["DistributedLockManager"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.4"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
  ],
  targets: [
    // Words and bytes that everything shares.
    module("ByteCoding"),
    module("ConfigText"),
    module("ClusterTypes"),

    // Core: decides, does nothing.
    module("LVMMetadata", ["ByteCoding", "ConfigText"]),
    module("VolumeActivation", ["ConfigText", "LVMMetadata"]),
    module("VolumeCommands", ["ConfigText", "LVMMetadata"]),
    module("LockProtocol", ["ByteCoding", "ClusterTypes"]),
    module("LockManager", ["LockProtocol", "ClusterTypes"]),
    module("ClusterImport", ["ConfigText"]),
    module("ClusterMembership", ["ByteCoding", "ClusterTypes"]),
    module("LockspaceGroups", ["ByteCoding", "ClusterMembership", "ClusterTypes"]),
    module("VolumeCoordination", ["ByteCoding", "ClusterTypes"]),
    module(
      "VolumeJobs", ["ClusterTypes", "LVMMetadata", "VolumeActivation", "VolumeCoordination"]),
    module("KeeperProtocol", ["ByteCoding", "ClusterTypes"]),
    module("PosixLocks", ["ByteCoding", "ClusterTypes"]),

    // For tests: the clock, chance and links of a simulated cluster.
    module("ClusterSimulation", ["ClusterTypes"]),
    module(
      "LockSimulation", ["ClusterSimulation", "ClusterTypes", "LockManager", "LockProtocol"]),
    .executableTarget(
      name: "SimulationCommand", dependencies: ["ClusterSimulation", "LockSimulation", arguments],
      swiftSettings: strict),
    module("Fuzzing", ["ClusterSimulation"]),
    module(
      "MembershipSimulation", ["ClusterMembership", "ClusterSimulation", "ClusterTypes"]),
    .executableTarget(
      name: "MembershipSimulator",
      dependencies: ["ClusterSimulation", "MembershipSimulation", arguments],
      swiftSettings: strict),
    module(
      "VolumeSimulation",
      [
        "ClusterSimulation", "ClusterTypes", "LVMMetadata", "VolumeActivation", "VolumeCommands",
        "VolumeCoordination", "VolumeJobs",
      ]),
    .executableTarget(
      name: "VolumeSimulator", dependencies: ["VolumeSimulation", arguments],
      swiftSettings: strict),
    module("MetadataSamples", ["ClusterSimulation", "ConfigText", "LVMMetadata"]),
    module(
      "FuzzTargets",
      [
        "BlockDevices", "ByteCoding", "ClusterImport", "ClusterMembership", "ClusterTypes",
        "ConfigText", "Fuzzing",
        "LVMFrontends", "LVMMetadata", "LockManager", "LockProtocol", "PosixLocks",
      ]),
    .executableTarget(
      name: "FuzzCommand",
      dependencies: ["ClusterSimulation", "Fuzzing", "FuzzTargets", arguments],
      swiftSettings: strict),

    // Edge: one piece of the outside world each.
    .systemLibrary(
      name: "CDeviceMapper", pkgConfig: "devmapper", providers: [.apt(["libdevmapper-dev"])]),
    .systemLibrary(name: "CBlkid", pkgConfig: "blkid", providers: [.apt(["libblkid-dev"])]),
    .target(name: "CDeviceMapperShim", dependencies: ["CDeviceMapper"]),
    .target(name: "CLinux"),
    .target(name: "CAllocator"),
    module(
      "DeviceMapper",
      ["LVMSystemDirectory", "VolumeActivation", "CDeviceMapper", "CDeviceMapperShim"]),
    module(
      "BlockDevices",
      ["LVMMetadata", "LVMSystemDirectory", "VolumeActivation", "CBlkid", "CLinux"]),
    module("LVMSystemDirectory", ["ConfigText", "LVMMetadata"]),
    module("KernelLockspaces", ["ByteCoding", "ClusterTypes", "CLinux"]),
    module("Fencing", ["ByteCoding", "ClusterTypes", "CLinux"]),
    .target(name: "CCorosync"),
    module("Corosync", ["CCorosync", "CLinux", "ClusterMembership", "ClusterTypes"]),

    module("Keeper", ["ClusterTypes", "CLinux", "KeeperProtocol", "KernelLockspaces"]),

    module("DurableFiles"),
    module(
      "ClusterCredentials", ["ByteCoding", "ClusterTypes", "DurableFiles", asn1, crypto, x509]),

    // Shell: sockets, wiring, programs.
    module(
      "ClusterTransport",
      [
        "ByteCoding", "ClusterCredentials", "LockProtocol", "ClusterTypes", nioCore, nioPosix,
        nioSSL, nioTLS, logging,
      ]),
    module("MachineShell", ["ClusterTypes", nioCore]),
    module(
      "LVMFrontends",
      [
        "ByteCoding", "ConfigText", "ClusterTypes", "CLinux", "MachineShell", nioCore, nioPosix,
        logging,
      ]),
    module(
      "LockspacePeer",
      [
        "ClusterTypes", "DistributedLockManager", "LockManager", "LockProtocol", nioCore, nioPosix,
        logging,
      ]),
    module(
      "DistributedLockManager",
      [
        "ClusterTransport", "ClusterTypes", "LockManager", "LockProtocol", nioCore, nioPosix,
        logging,
      ]),
    module(
      "OfflineCommands",
      [
        "BlockDevices", "LVMMetadata", "LVMSystemDirectory", "VolumeActivation", "VolumeCommands",
      ]),
    module("AdminProtocol", ["ConfigText", "ClusterTypes", "LVMMetadata"]),
    module("ClusterPreflight", ["AdminProtocol", "ClusterTypes"]),
    module("VolumeReports", ["ConfigText", "LVMMetadata", "VolumeActivation"]),
    module(
      "ClusterDaemon",
      [
        "AdminProtocol", "BlockDevices", "ByteCoding", "CLinux", "ClusterCredentials",
        "ClusterImport", "ClusterMembership", "ClusterTransport", "ClusterTypes", "ConfigText",
        "Corosync", "DeviceMapper", "DistributedLockManager", "DurableFiles", "Fencing",
        "KeeperProtocol", "KernelLockspaces", "LVMFrontends", "LVMMetadata", "LVMSystemDirectory",
        "LockManager", "LockProtocol",
        "LockspaceGroups", "MachineShell", "PosixLocks",
        "VolumeActivation", "VolumeCommands", "VolumeCoordination", "VolumeJobs", nioCore, nioPosix,
        logging,
      ]),
    module(
      "ClusterSetup",
      [
        "AdminProtocol", "ClusterCredentials", "ClusterDaemon", "ClusterTransport", "ClusterTypes",
        "ConfigText", "DurableFiles", nioCore, nioPosix,
      ]),
    .executableTarget(
      name: "clvmd", dependencies: ["ClusterDaemon", "LVMFrontends", logging, arguments],
      swiftSettings: strict),
    .executableTarget(
      name: "clvmd-keeper", dependencies: ["Keeper", "KeeperProtocol", arguments],
      swiftSettings: strict),
    .executableTarget(
      name: "clvm",
      dependencies: [
        "AdminProtocol", "BlockDevices", "CAllocator", "ClusterCredentials", "ClusterDaemon",
        "ClusterImport", "ClusterPreflight", "ClusterSetup", "ClusterTypes",
        "DeviceMapper", "DurableFiles", "LVMMetadata", "LVMSystemDirectory", "OfflineCommands",
        "VolumeActivation",
        "VolumeCommands",
        "VolumeReports", nioPosix, arguments,
      ], swiftSettings: strict),
    .executableTarget(
      name: "lvmlockctl",
      dependencies: [
        "CLinux", "ConfigText", "LVMFrontends", "LVMSystemDirectory", "VolumeReports", arguments,
      ], swiftSettings: strict),
    .executableTarget(
      name: "dlm-peer",
      dependencies: ["ClusterTypes", "LockProtocol", "LockspacePeer", nioCore, logging, arguments],
      swiftSettings: strict),
    .executableTarget(
      name: "LockBenchmark",
      dependencies: [
        "CLinux", "ClusterTypes", "DistributedLockManager", "LockManager", "LockProtocol",
        nioCore, nioPosix, logging, arguments,
      ], swiftSettings: strict),
    .executableTarget(
      name: "LockExample", dependencies: ["DistributedLockManager"], swiftSettings: strict),
    .executableTarget(
      name: "VolumeBenchmark",
      dependencies: [
        "AdminProtocol", "ClusterDaemon", "ClusterTypes", "ConfigText", "LVMFrontends",
        "LVMMetadata", "MetadataSamples", logging, arguments,
      ], swiftSettings: strict),
    .executableTarget(
      name: "MetadataBenchmark",
      dependencies: [
        "BlockDevices", "LVMMetadata", "MetadataSamples", "VolumeActivation", arguments,
      ],
      swiftSettings: strict),

    // For tests: Debian's lvm on loop devices.
    .target(
      name: "RealLVM", dependencies: ["LVMMetadata"], path: "Tests/RealLVM",
      swiftSettings: strict),

    tests("ByteCoding"),
    tests("ConfigText"),
    tests("LVMMetadata", ["BlockDevices", "ClusterSimulation", "MetadataSamples", "RealLVM"]),
    tests("VolumeCommands", ["BlockDevices", "ClusterSimulation", "ConfigText", "LVMMetadata"]),
    tests(
      "OfflineCommands",
      [
        "BlockDevices", "ClusterSimulation", "LVMMetadata", "LVMSystemDirectory", "RealLVM",
        "VolumeActivation", "VolumeCommands",
      ]),
    tests("VolumeActivation", ["ConfigText", "LVMMetadata"]),
    tests("LockProtocol", ["ClusterSimulation"]),
    tests("LockManager", ["ClusterSimulation"]),
    tests("ClusterMembership", ["ByteCoding", "ClusterSimulation", "ClusterTypes"]),
    tests("MembershipSimulation", ["ClusterMembership", "ClusterTypes"]),
    tests("LockSimulation", ["ClusterSimulation", "ClusterTypes", "LockProtocol"]),
    tests("Fuzzing", ["ClusterSimulation", "FuzzTargets"]),
    tests("ClusterImport", ["ConfigText"]),
    tests("ClusterPreflight", ["AdminProtocol", "ClusterTypes"]),
    tests("DurableFiles"),
    tests("ClusterCredentials", ["ClusterTypes"]),
    tests(
      "ClusterSetup",
      [
        "AdminProtocol", "ClusterCredentials", "ClusterDaemon", "ClusterTransport", "ClusterTypes",
        logging, nioPosix,
      ]),
    tests("LockspaceGroups", ["ClusterMembership", "ClusterSimulation", "ClusterTypes"]),
    tests("VolumeCoordination", ["ClusterSimulation"]),
    tests("VolumeSimulation"),
    tests("DeviceMapper", ["ConfigText", "LVMMetadata", "VolumeActivation"]),
    tests("BlockDevices", ["LVMMetadata", "VolumeActivation"]),
    tests("LVMSystemDirectory", ["LVMMetadata"]),
    tests("KernelLockspaces"),
    tests("KeeperProtocol", ["ByteCoding", "ClusterSimulation", "ClusterTypes"]),
    tests("PosixLocks", ["ByteCoding", "ClusterSimulation", "ClusterTypes"]),
    tests("Keeper", ["ClusterTypes", "KeeperProtocol"]),
    tests("Corosync", ["ClusterMembership", "ClusterTypes"]),
    tests("Fencing", ["ByteCoding", "ClusterSimulation", "ClusterTypes"]),
    tests(
      "ClusterTransport",
      [
        "ClusterCredentials", "LockProtocol", "ClusterTypes", nioCore, nioPosix, nioEmbedded,
        nioSSL, logging,
      ]),
    tests(
      "LockspacePeer",
      [
        "ClusterSimulation", "ClusterTypes", "DistributedLockManager", "LockManager",
        "LockProtocol", nioCore, nioPosix, logging,
      ]),
    tests("DistributedLockManager", ["LockExample", "LockProtocol", nioPosix, logging]),
    tests("LVMFrontends", ["ClusterSimulation", nioEmbedded]),
    tests("AdminProtocol", ["LVMMetadata"]),
    tests(
      "VolumeReports",
      [
        "BlockDevices", "ByteCoding", "LVMMetadata", "MetadataSamples", "RealLVM",
        "VolumeActivation",
      ]),
    tests(
      "ClusterDaemon",
      [
        "AdminProtocol", "BlockDevices", "ClusterCredentials", "ClusterMembership",
        "ClusterPreflight",
        "ClusterTypes", "ConfigText", "DistributedLockManager", "Fencing", "KernelLockspaces",
        "LVMFrontends", "LVMMetadata", "LockManager", "LockProtocol", "RealLVM", "VolumeActivation",
        "VolumeCommands", "VolumeCoordination", nioCore, nioPosix, logging,
      ]),
    .testTarget(name: "TidyTests", swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
