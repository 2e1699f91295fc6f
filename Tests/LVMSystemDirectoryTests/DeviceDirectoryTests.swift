import Testing

@testable import LVMSystemDirectory

@Test(arguments: [
  (nil, "/dev"), ("", "/dev"), ("relative", "/dev"), ("/tmp/LVMTEST/dev", "/tmp/LVMTEST/dev"),
  ("/dev/", "/dev"), ("/a//", "/a"), ("/", "/"),
])
func whereDeviceNodesAre_isWhatAnAbsoluteVariableSays(variable: String?, path: String) {
  #expect(DeviceDirectory.path(in: variable) == path)
}
