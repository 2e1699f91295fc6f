import AdminProtocol
import LVMMetadata
import Testing

@testable import ClusterDaemon

/// Which volume groups `clvm lvextend` changes at all.
@Suite struct ResizeAccessTests {
  private func group(status: String, _ entries: String) throws -> VolumeGroup {
    let text = """
      contents = "Text Format Volume Group"
      version = 1
      vg1 {
      id = "abcdef-0123-4567-89AB-CDEF-0123-456789"
      seqno = 7
      status = [\(status)]
      \(entries)
      extent_size = 8192
      max_lv = 0
      max_pv = 0
      physical_volumes {
      }
      }
      """
    return try MetadataText(parsing: Array(text.utf8)).volumeGroup
  }

  private func refusal(status: String = #""RESIZEABLE", "READ", "WRITE""#, _ entries: String) throws
    -> String?
  {
    do {
      try group(status: status, entries).checkNativeResize()
      return nil
    } catch let failure as AdminFailure {
      return failure.message
    }
  }

  @Test func aSharedGroupIsOurs() throws {
    #expect(try refusal("lock_type = \"dlm\"\nlock_args = \"1.0.0:lab\"") == nil)
  }

  @Test func everyOtherGroupIsRefusedByName() throws {
    #expect(try refusal("") == "Volume group vg1 is not shared: use LVM's own lvextend.")
    #expect(
      try refusal("system_id = \"elsewhere\"")
        == "Cannot access VG vg1 with system ID elsewhere.")
    #expect(
      try refusal(status: #""RESIZEABLE", "READ", "WRITE", "EXPORTED""#, "")
        == "Volume group vg1 is exported")
    #expect(
      try refusal(status: #""RESIZEABLE", "READ", "WRITE", "CLUSTERED""#, "")?
        .hasPrefix("Volume group vg1 carries LVM 2.02's mark") == true)
  }
}
