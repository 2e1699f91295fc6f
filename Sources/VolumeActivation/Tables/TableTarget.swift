/// A place on a device, as table parameters name it: `major:minor offset`.
public struct TableArea: Hashable, Sendable, CustomStringConvertible {
  public let device: DeviceNumber
  /// The first sector used, counted from the start of the device.
  public let offset: UInt64

  public init(device: DeviceNumber, offset: UInt64) {
    self.device = device
    self.offset = offset
  }

  public var description: String { "\(device) \(offset)" }
}

/// Stripes over several areas.
public struct StripedTarget: Hashable, Sendable {
  /// The length of one stripe in sectors.
  public let stripeSize: UInt64
  /// At least one area, in stripe order.
  public let areas: [TableArea]

  public init(stripeSize: UInt64, areas: [TableArea]) {
    precondition(!areas.isEmpty, "stripes over no area")
    self.stripeSize = stripeSize
    self.areas = areas
  }
}

/// What serves a table line. The forms are those of the kernel (dm-activation 3).
///
/// Printing and parsing are each other's inverse. Targets that this version does not build itself
/// are kept as text, so that any live table can be read, compared and put back.
public enum TableTarget: Hashable, Sendable {
  /// `linear DEVICE OFFSET`
  case linear(TableArea)
  /// `striped COUNT STRIPE_SIZE DEVICE OFFSET …`
  case striped(StripedTarget)
  /// Any other target, or parameters of the above that do not have the known form.
  case opaque(type: String, parameters: String)

  /// Reads what the kernel reports. Blanks at the end are dropped, because the kernel adds them.
  public init(type: String, parameters: String) {
    let words = parameters.split(separator: " ")
    switch type {
    case "linear":
      if let areas = Self.areas(words[...]), areas.count == 1 {
        self = .linear(areas[0])
        return
      }
    case "striped":
      if words.count > 2, let count = Int(decimal: words[0]),
        let stripeSize = UInt64(decimal: words[1]), let areas = Self.areas(words[2...]),
        areas.count == count
      {
        self = .striped(StripedTarget(stripeSize: stripeSize, areas: areas))
        return
      }
    default:
      break
    }
    let end = parameters.lastIndex { $0 != " " }.map(parameters.index(after:))
    self = .opaque(
      type: type, parameters: String(parameters[..<(end ?? parameters.startIndex)]))
  }

  private static func areas(_ words: ArraySlice<Substring>) -> [TableArea]? {
    guard words.count.isMultiple(of: 2) else { return nil }
    var areas: [TableArea] = []
    var rest = words
    while let device = rest.popFirst(), let offset = rest.popFirst() {
      guard let device = DeviceNumber(device), let offset = UInt64(decimal: offset) else {
        return nil
      }
      areas.append(TableArea(device: device, offset: offset))
    }
    return areas
  }

  /// The target's name in the kernel.
  public var type: String {
    switch self {
    case .linear: "linear"
    case .striped: "striped"
    case .opaque(let type, _): type
    }
  }

  public var parameters: String {
    switch self {
    case .linear(let area):
      area.description
    case .striped(let target):
      (["\(target.areas.count) \(target.stripeSize)"] + target.areas.map(\.description))
        .joined(separator: " ")
    case .opaque(_, let parameters):
      parameters
    }
  }

  /// The areas of a linear or striped target; empty for opaque ones.
  public var areas: [TableArea] {
    switch self {
    case .linear(let area): [area]
    case .striped(let target): target.areas
    case .opaque: []
    }
  }

  /// Every device that the parameters refer to, with repetitions: in those of opaque targets, every
  /// word that has the form of a number.
  var numbers: [DeviceNumber] {
    switch self {
    case .linear, .striped: areas.map(\.device)
    case .opaque(_, let parameters):
      parameters.split(separator: " ").compactMap { word in
        DeviceNumber(word.hasPrefix("meta_device:") ? word.dropFirst(12) : word)
      }
    }
  }
}
