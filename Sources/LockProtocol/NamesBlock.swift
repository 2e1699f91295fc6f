/// One block of the names that a member masters, for the directory node that asks (dlm-wire 14.4).
public struct NamesBlock: Hashable, Sendable {
  public var names: [ResourceName]
  /// False when the asker must ask again with the last name.
  public var isLast: Bool

  /// Bytes of a block on the wire, whatever it holds, in a 3.2 message.
  public static let encodedLength = 4024

  public init(names: [ResourceName], isLast: Bool) {
    self.names = names
    self.isLast = isLast
  }

  /// As many names from the front of `names` as one block holds; the last block if all fit.
  public init(filling names: some Sequence<ResourceName>) {
    var length = 0
    var taken: [ResourceName] = []
    for name in names {
      // The mark that closes the block needs two bytes behind the last name.
      guard length + 2 + name.bytes.count + 2 <= Self.encodedLength else {
        self.init(names: taken, isLast: false)
        return
      }
      length += 2 + name.bytes.count
      taken.append(name)
    }
    self.init(names: taken, isLast: true)
  }
}
