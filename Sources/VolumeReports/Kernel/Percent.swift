/// A percentage as libdevmapper counts it: in millionths of one percent.
struct Percent: Equatable {
  let millionths: Int32

  static let hundred = Percent(millionths: 100_000_000)
  static let zero = Percent(millionths: 0)

  private init(millionths: Int32) { self.millionths = millionths }

  /// Of nothing, everything. What is not all is never shown as all, nor something as nothing.
  init(_ part: UInt64, of whole: UInt64) {
    if whole == 0 || part == whole {
      self = .hundred
    } else if part == 0 {
      self = .zero
    } else {
      let exact = 100_000_000 * (Double(part) / Double(whole))
      let millionths = Int32(clamping: Int64(min(exact, 2e9)))
      switch millionths {
      case 100_000_000: self.millionths = 99_999_999
      case 0: self.millionths = 1
      default: self.millionths = millionths
      }
    }
  }

  /// "42.00".
  var text: String {
    let smallestShown: Int32 = 10_000
    var shown = Float(millionths) / 1_000_000
    if millionths > 0, millionths < smallestShown { shown = 0.01 }
    if millionths < 100_000_000, millionths > 100_000_000 - smallestShown { shown = 99.99 }
    let hundredths = Int((Double(shown) * 100).rounded(.toNearestOrEven))
    let cents = hundredths % 100
    return "\(hundredths / 100)." + (cents < 10 ? "0" : "") + String(cents)
  }
}
