/// Where the LV that is to grow lies at its two ends (lvm2-allocation 7).
package struct ExistingLayout: Equatable {
  /// Where a slot of a segment lies and ends on its PV.
  struct Leg: Equatable {
    var slot: Int
    var volume: LVMIdentifier
    var end: Int
  }

  var extentCount: Int
  /// Areas of the last segment as the text lists them: a striped mirror has its legs.
  var areaCount: Int
  /// Areas of the last segment with the stripes of each leg counted.
  var positionCount: Int
  /// PV extents below the first and the last logical extent.
  var firstLegs: [Leg]
  var lastLegs: [Leg]
}

extension VolumeGroup {
  /// Nil for an LV without segments.
  package func existingLayout(of volume: LogicalVolume) -> ExistingLayout? {
    guard let last = volume.segments.last, volume.extentCount > 0 else { return nil }
    let stripes = stripesPerLeg(of: last)
    let areaCount =
      last.stripedLayout?.areas.count ?? last.imageLayout?.images.count ?? 1
    return ExistingLayout(
      extentCount: volume.extentCount, areaCount: areaCount,
      positionCount: areaCount * stripes,
      firstLegs: legs(of: volume, at: 0), lastLegs: legs(of: volume, at: volume.extentCount - 1))
  }

  /// The stripes in each leg of a mirror.
  private func stripesPerLeg(of segment: Segment) -> Int {
    guard let layout = segment.imageLayout, layout.raid?.isStriped != true,
      let leg = layout.images.first.flatMap({ logicalVolume(named: $0) })
    else { return 1 }
    return leg.segments.last?.stripedLayout?.areas.count ?? 1
  }

  /// Pieces of PVs below the segment that holds a logical extent; of images the piece below that
  /// extent, logs and RAID metadata not counted.
  private func legs(of volume: LogicalVolume, at extent: Int) -> [ExistingLayout.Leg] {
    guard let segment = volume.segments.first(where: { extent < $0.endExtent }) else { return [] }
    if let layout = segment.stripedLayout { return legs(of: layout, segment, from: 0) }
    guard let layout = segment.imageLayout else { return [] }
    let inImage = (extent - segment.startExtent) / layout.multiple
    let stripes = stripesPerLeg(of: segment)
    return layout.images.enumerated().flatMap { index, name -> [ExistingLayout.Leg] in
      guard let image = logicalVolume(named: name),
        let part = image.segments.first(where: { inImage < $0.endExtent }),
        let parts = part.stripedLayout
      else { return [] }
      return legs(of: parts, part, from: index * stripes)
    }
  }

  private func legs(
    of layout: StripedLayout, _ segment: Segment, from slot: Int
  ) -> [ExistingLayout.Leg] {
    layout.areas.enumerated().compactMap { index, area in
      area.physicalVolume.map {
        .init(
          slot: slot + index, volume: $0, end: area.firstExtent + segment.extentCountPerArea)
      }
    }
  }
}
