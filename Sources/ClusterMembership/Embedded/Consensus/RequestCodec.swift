import ByteCoding
import ClusterTypes

extension ByteWriter {
  mutating func write(_ request: Request) {
    switch request {
    case .joinSpace(let name, let kind):
      write(UInt8(1))
      writeString(name.text)
      write(kind)
    case .leaveSpace(let name):
      write(UInt8(2))
      writeString(name.text)
    case .restartSpace(let name, let waitsFor):
      write(UInt8(3))
      writeString(name.text)
      write(waitsFor?.index ?? 0xFF)
    case .clean: write(UInt8(4))
    case .leave: write(UInt8(5))
    case .message(let bytes):
      write(UInt8(6))
      writeCounted(bytes)
    case .fenceResult(let attempt, let outcome):
      write(UInt8(7))
      write(attempt)
      write(outcome.rawValue)
    case .prove(let slot, let incarnation, let evidence, let by):
      write(UInt8(8))
      write(slot.index)
      write(incarnation.rawValue)
      write(evidence.rawValue)
      writeString(by)
    case .changeConfiguration(let configuration):
      write(UInt8(9))
      write(configuration)
    case .beginOperation(let operation):
      write(UInt8(10))
      write(operation)
    case .advanceOperation(let id, let step):
      write(UInt8(11))
      write(id)
      write(step.rawValue)
    case .endOperation(let id):
      write(UInt8(12))
      write(id)
    case .capabilities(let capabilities):
      write(UInt8(13))
      write(capabilities)
    case .excluded(let attempt, let devices):
      write(UInt8(14))
      write(attempt)
      write(devices)
    case .withdrawExclusion(let attempt):
      write(UInt8(15))
      write(attempt)
    }
  }

  private mutating func write(_ id: VolumeOperation.ID) {
    write(id.slot.index)
    write(id.incarnation.rawValue)
    write(id.life)
    write(id.sequence)
  }
}

extension ByteReader {
  mutating func readRequest() throws(ByteDecodingError) -> Request {
    switch try read(UInt8.self) {
    case 1: .joinSpace(try readSpaceName(), kind: try read())
    case 2: .leaveSpace(try readSpaceName())
    case 3:
      .restartSpace(
        try readSpaceName(), waitsFor: NodeSlot(Int(try read(UInt8.self))))
    case 4: .clean
    case 5: .leave
    case 6: .message(Array(try readCounted(limit: ControlMessage.maximumPayload)))
    case 7: .fenceResult(attempt: try readNumber(), try readCase())
    case 8:
      .prove(
        try readSlot(), Incarnation(try read()), try readCase(),
        by: try readString(limit: ControlMessage.maximumText))
    case 9: .changeConfiguration(try readConfiguration())
    case 10: .beginOperation(try readOperation())
    case 11: .advanceOperation(try readOperationID(), try readCase())
    case 12: .endOperation(try readOperationID())
    case 13: .capabilities(try readCapabilities())
    case 14: .excluded(attempt: try readNumber(), devices: try read())
    case 15: .withdrawExclusion(attempt: try readNumber())
    default: throw .invalid("kind of request")
    }
  }

  private mutating func readSpaceName() throws(ByteDecodingError) -> LockspaceName {
    let text = try readString(limit: LockspaceName.maximumLength)
    guard let name = LockspaceName(text) else { throw .invalid("lockspace name") }
    return name
  }

  private mutating func readOperationID() throws(ByteDecodingError) -> VolumeOperation.ID {
    VolumeOperation.ID(
      slot: try readSlot(), incarnation: Incarnation(try read()), life: try read(),
      sequence: try readNumber())
  }
}
