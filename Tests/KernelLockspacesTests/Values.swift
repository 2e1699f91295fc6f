import ClusterTypes
import KernelLockspaces
import Testing

func node(_ number: Int32) throws -> NodeID { try #require(NodeID(number)) }

func instance(_ number: Int32, _ incarnation: UInt64) throws -> NodeInstance {
  NodeInstance(try node(number), Incarnation(incarnation))
}

func lockspace(_ name: String) throws -> LockspaceName { try #require(LockspaceName(name)) }

func address(_ number: Int32) throws -> NodeAddress {
  try #require(NodeAddress("192.0.2.\(number)"))
}
