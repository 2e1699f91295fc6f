import BlockDevices
import LVMMetadata
import RealLVM

extension RealLVM {
  convenience init(deviceCount: Int, sizeBytes: Int) throws {
    try self.init(sizes: [Int](repeating: sizeBytes, count: deviceCount))
  }

  func devices() throws -> [BlockDevice] {
    try paths.map { try BlockDevice(path: $0, access: .readWrite) }
  }

  /// Runs an lvm command that must succeed and say nothing, except that it has no device-mapper.
  func silentLVM(_ arguments: String...) throws {
    let result = try self(arguments)
    let lines = (result.output + result.errors).split(separator: "\n").filter {
      !$0.contains("Activation disabled")
    }
    guard result.status == 0, lines.isEmpty else { throw Failure("\(arguments): \(lines)") }
  }

  @discardableResult
  func workingLVM(_ arguments: String...) throws -> String { try succeed(arguments) }

  /// The text vgcfgbackup makes of a group.
  func backup(_ group: String) throws -> [UInt8] {
    try succeed(["vgcfgbackup", "-f", "\(folder)/backup.txt", group])
    return try bytes(of: "backup.txt")
  }
}
