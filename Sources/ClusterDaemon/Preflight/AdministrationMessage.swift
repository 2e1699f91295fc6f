import ByteCoding

/// What daemons ask each other for an administrator, outside of all agreements: each question goes
/// to one node and is answered by that node alone.
struct AdministrationMessage: Equatable {
  enum Subject: UInt8 {
    /// The boot-time clock, eight bytes of nanoseconds.
    case clock = 1
    /// `NodeFacts`.
    case facts = 2
    /// A list of believed keys that is to be taken up, as text; answered like those that follow.
    case trustList = 3
    case keyState = 4
    case renewKey = 5
    /// The certificate, PEM, for the key that was made last.
    case installCertificate = 6
  }

  enum Kind: UInt8 {
    case question = 0
    case answer = 1
  }

  /// A frame of a control channel has 1 MiB.
  static let maximumPayloadLength = (1 << 20) - 64

  var kind: Kind
  /// The asker's number for the question.
  var id: UInt64
  var subject: Subject
  var payload: [UInt8]

  init(_ kind: Kind, id: UInt64, _ subject: Subject, payload: [UInt8] = []) {
    self.kind = kind
    self.id = id
    self.subject = subject
    self.payload = payload
  }

  var encoded: [UInt8] {
    var writer = ByteWriter(reservingCapacity: 16 + payload.count)
    writer.write(kind.rawValue)
    writer.write(subject.rawValue)
    writer.write(id)
    writer.write(payload)
    return writer.bytes
  }

  init(decoding bytes: ArraySlice<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    let kindNumber = try reader.read(UInt8.self)
    guard let kind = Kind(rawValue: kindNumber) else { throw .invalid("kind \(kindNumber)") }
    let subjectNumber = try reader.read(UInt8.self)
    guard let subject = Subject(rawValue: subjectNumber) else {
      throw .invalid("subject \(subjectNumber)")
    }
    self.kind = kind
    self.subject = subject
    id = try reader.read()
    payload = Array(reader.readRemaining())
  }
}
