import LVMMetadata

extension SizeArgument {
  /// Between clvm and clvmd: sign, number, then `s` for sectors, `x` for extents or `%BASE`.
  var wireText: String {
    let sign =
      switch sign {
      case .absolute: ""
      case .increase: "+"
      case .decrease: "-"
      }
    return switch amount {
    case .sectors(let count): "\(sign)\(count)s"
    case .extents(let count): "\(sign)\(count)x"
    case .percentage(let number, let base): "\(sign)\(number)%\(base.rawValue)"
    }
  }

  /// Reads what `wireText` wrote; nil for anything else.
  init?(wireText: String) {
    let size: SizeArgument? =
      switch wireText.last {
      case "s": try? SizeArgument(size: wireText)
      case "x": try? SizeArgument(extents: String(wireText.dropLast()))
      default: try? SizeArgument(extents: wireText)
      }
    guard let size, size.wireText == wireText else { return nil }
    self = size
  }
}
