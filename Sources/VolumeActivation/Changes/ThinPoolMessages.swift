// Telling a thin pool what the metadata says (dm-activation, section 5).

extension DeviceMapping {
  /// Sends the messages of the pool's metadata unless the kernel has them already. It may be one
  /// transaction behind, never more.
  mutating func tell(
    _ pool: PlannedThinPool, to device: MappedDeviceUUID
  ) throws(DeviceMapperError) {
    let known = try transactionID(of: device)
    guard known != pool.transactionID else { return }
    let expected = pool.transactionID - (pool.messages.isEmpty ? 0 : 1)
    guard pool.transactionID > 0, known == pool.transactionID - 1 else {
      throw DeviceMapperError(
        operation: .message, device: device.text, code: 0,
        detail: "the thin pool's transaction_id is \(known), while expected \(expected)")
    }
    guard !pool.messages.isEmpty else { return }
    for message in pool.messages { try send(message, to: device) }
    try send("set_transaction_id \(known) \(pool.transactionID)", to: device)
    let reached = try transactionID(of: device)
    guard reached == pool.transactionID else {
      throw DeviceMapperError(
        operation: .message, device: device.text, code: 0,
        detail: "the thin pool's transaction_id is \(reached) and not \(pool.transactionID)")
    }
  }

  /// `TRANSACTION_ID USED/TOTAL …`, or `Fail` for a pool that has failed.
  private mutating func transactionID(
    of device: MappedDeviceUUID
  ) throws(DeviceMapperError) -> UInt64 {
    let line = try status(of: device).first
    guard let line, line.target.type == "thin-pool",
      let word = line.target.parameters.split(separator: " ").first, let id = UInt64(decimal: word)
    else {
      let found = line.map { "'\($0.target.parameters)'" } ?? "nothing"
      throw DeviceMapperError(
        operation: .status, device: device.text, code: 0,
        detail: "the thin pool reports \(found) in the place of its transaction_id")
    }
    return id
  }
}
