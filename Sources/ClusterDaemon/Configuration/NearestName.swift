/// The candidate that was probably meant by a mistyped name: at most every third character differs.
func nearest(to name: String, in candidates: some Sequence<String>) -> String? {
  let limit = max(1, name.utf8.count / 3)
  return candidates.map { (editDistance(name, $0), $0) }.filter { $0.0 <= limit }.min { $0 < $1 }?.1
}

/// Insertions, deletions and replacements that make `left` into `right`. Long names are far from
/// everything: a configuration must not cost time by the length of its nonsense.
func editDistance(_ left: String, _ right: String) -> Int {
  let left = Array(left.utf8)
  let right = Array(right.utf8)
  guard left.count <= 64, right.count <= 64 else { return Int.max }
  var row = Array(0...right.count)
  for (index, byte) in left.enumerated() {
    var diagonal = row[0]
    row[0] = index + 1
    for column in right.indices {
      let replaced = diagonal + (byte == right[column] ? 0 : 1)
      diagonal = row[column + 1]
      row[column + 1] = min(replaced, row[column] + 1, row[column + 1] + 1)
    }
  }
  return row[right.count]
}
