import LVMMetadata

/// Bytes of an LV that lie in one piece on a PV.
struct PlacedBytes: Equatable {
  /// Within the LV.
  var offset: UInt64
  var byteCount: UInt64
  var volume: LVMIdentifier
  /// On the PV, in bytes from its first extent.
  var place: UInt64
  /// The same bytes are elsewhere, too, where they are read from.
  var isFurtherCopy: Bool
}

/// Where the bytes of an LV lie, below stripes and images.
extension VolumeGroup {
  /// Nil where an LV of that kind is not understood.
  func placement(of volume: LogicalVolume, _ range: Range<UInt64>) -> [PlacedBytes]? {
    var found: [PlacedBytes] = []
    for segment in volume.segments {
      let start = bytes(segment.startExtent)
      let part = range.clamped(to: start..<bytes(segment.endExtent))
      guard !part.isEmpty else { continue }
      guard let pieces = placement(in: segment, part, start: start) else { return nil }
      found += pieces
    }
    return found
  }

  private func bytes(_ extentCount: Int) -> UInt64 { sectors(extents: extentCount) * 512 }

  private func placement(
    in segment: Segment, _ range: Range<UInt64>, start: UInt64
  ) -> [PlacedBytes]? {
    var found: [PlacedBytes] = []
    var offset = range.lowerBound
    while offset < range.upperBound {
      guard let spot = Spot.of(offset - start, in: segment) else { return nil }
      let count = min(range.upperBound - offset, spot.byteCount)
      for (index, column) in spot.columns.enumerated() {
        guard let pieces = placement(in: segment, column: column, spot.offset, count) else {
          return nil
        }
        for var piece in pieces {
          piece.offset = piece.offset - spot.offset + offset
          piece.isFurtherCopy = piece.isFurtherCopy || index > 0
          found.append(piece)
        }
      }
      offset += count
    }
    return found
  }

  /// Bytes of a stripe or an image, by their offset within it.
  private func placement(
    in segment: Segment, column: Int, _ offset: UInt64, _ count: UInt64
  ) -> [PlacedBytes]? {
    var below: LogicalVolume?
    var first: UInt64 = 0
    if let area = segment.stripedLayout?.areas[column] {
      first = bytes(area.firstExtent)
      switch area.source {
      case .physicalVolume(let id):
        return [
          PlacedBytes(
            offset: offset, byteCount: count, volume: id, place: first + offset,
            isFurtherCopy: false)
        ]
      case .logicalVolume(let name): below = logicalVolume(named: name)
      }
    } else if let images = segment.imageLayout?.images, images.indices.contains(column) {
      below = logicalVolume(named: images[column])
    }
    guard let below else { return nil }
    let pieces = placement(of: below, first + offset..<first + offset + count)
    return pieces?.map { piece in
      var piece = piece
      piece.offset -= first
      return piece
    }
  }
}

/// Where one byte of a segment lies, and how far those behind it lie behind it there.
private struct Spot {
  /// Stripes or images that have the byte; it is read from the first.
  var columns: [Int]
  /// Within the stripe or image.
  var offset: UInt64
  var byteCount: UInt64

  static func of(_ offset: UInt64, in segment: Segment) -> Spot? {
    if let layout = segment.stripedLayout {
      guard layout.areas.count > 1 else {
        return Spot(columns: [0], offset: offset, byteCount: .max)
      }
      return striped(offset, layout.stripeSizeSectors, layout.areas.count) { index, _ in [index] }
    }
    guard let layout = segment.imageLayout else { return nil }
    let count = layout.images.count
    guard let raid = layout.raid, !raid.isRAID1 else {
      return Spot(columns: Array(0..<count), offset: offset, byteCount: .max)
    }
    guard segment.reshapeCount == 0 else { return nil }
    let dataCount = raid.multiple(deviceCount: count)
    return striped(offset, layout.stripeSizeSectors, dataCount) { index, row in
      raid.images(ofStripe: index, row: row, imageCount: count)
    }
  }

  private static func striped(
    _ offset: UInt64, _ stripeSectors: UInt64, _ dataCount: Int,
    _ columns: (_ index: Int, _ row: Int) -> [Int]
  ) -> Spot? {
    guard stripeSectors > 0, dataCount > 0 else { return nil }
    let (stripe, within) = offset.quotientAndRemainder(dividingBy: stripeSectors * 512)
    let (row, index) = stripe.quotientAndRemainder(dividingBy: UInt64(dataCount))
    return Spot(
      columns: columns(Int(index), Int(row)), offset: row * stripeSectors * 512 + within,
      byteCount: stripeSectors * 512 - within)
  }
}

extension RAIDType {
  /// The images that hold a data stripe, as md lays them out (md(4); its names of the layouts
  /// are left-asymmetric for la, rotating-N-restart for nr, …).
  ///
  /// - Parameters:
  ///   - index: of the stripe within its row.
  ///   - count: of all images.
  fileprivate func images(ofStripe index: Int, row: Int, imageCount count: Int) -> [Int] {
    let turn = row % count
    switch name {
    case "raid0", "raid0_meta", "raid4", "raid5_n", "raid6_n_6": return [index]
    case "raid10", "raid10_near": return [2 * index, 2 * index + 1]
    case "raid5_la", "raid5_ra", "raid5", "raid5_ls", "raid5_rs":
      return [rotated(index, row, count)]
    case "raid6_la_6", "raid6_ra_6", "raid6_ls_6", "raid6_rs_6":
      // The last image holds the second parity.
      return [rotated(index, row, count - 1)]
    case "raid6_nc": return [(count - 1 - turn + 1 + index) % count]
    case "raid6_nr":
      let parity = count - 1 - (row + 1) % count
      return [parity == count - 1 ? index + 1 : index >= parity ? index + 2 : index]
    default:  // raid6, raid6_zr
      return [turn == count - 1 ? index + 1 : index >= turn ? index + 2 : index]
    }
  }

  private func rotated(_ index: Int, _ row: Int, _ count: Int) -> Int {
    let turn = row % count
    let isLeft = !name.contains("_ra") && !name.contains("_rs")
    let parity = isLeft ? count - 1 - turn : turn
    let isAsymmetric = name.contains("_la") || name.contains("_ra")
    guard isAsymmetric else { return (parity + 1 + index) % count }
    return index >= parity ? index + 1 : index
  }
}
