import Glibc
import Testing

@testable import KernelLockspaces

private let file = "/sys/fs/ocfs2/cluster_stack"

private func kernelWithOCFS2() -> ModelKernel {
  let kernel = ModelKernel()
  kernel.state.withLock { _ = $0.directories.insert("/sys/module/ocfs2_stack_user") }
  kernel.makeFile(file, "o2cb\n")
  return kernel
}

@Test func select_writesPcmk() throws {
  let kernel = kernelWithOCFS2()
  #expect(try OCFS2ClusterStack(files: kernel).select() == .selected)
  #expect(kernel.text(file) == "pcmk")
}

@Test func select_whileAnotherStackHasMounts_namesIt() throws {
  let kernel = kernelWithOCFS2()
  kernel.fail(file, with: EBUSY)
  #expect(throws: KernelControlError.clusterStackBusy(current: "o2cb")) {
    try OCFS2ClusterStack(files: kernel).select()
  }
}

@Test func select_onAKernelWithoutOCFS2_isUnavailableAndNoError() throws {
  let stack = OCFS2ClusterStack(files: ModelKernel(), modprobe: "/bin/false")
  let reason = KernelControlError.moduleUnavailable(name: "ocfs2_stack_user", exitStatus: 1)
  #expect(try stack.select() == .unavailable(reason))
}

@Test func dlmfs_isWarnedAboutOnlyWhenLoaded() {
  let kernel = kernelWithOCFS2()
  #expect(OCFS2ClusterStack(files: kernel).dlmfsWarning() == nil)
  kernel.state.withLock { _ = $0.directories.insert("/sys/module/ocfs2_dlmfs") }
  #expect(OCFS2ClusterStack(files: kernel).dlmfsWarning()?.contains("rmmod ocfs2_dlmfs") == true)
}
