import LVMMetadata

/// Extents whose contents must be copied before metadata that points to the copy is committed.
public struct ExtentCopy: Sendable, Equatable {
  public var source: LVMIdentifier
  public var firstExtent: Int
  public var destination: LVMIdentifier
  public var destinationExtent: Int
  public var extentCount: Int
}

/// What pvmove is asked for.
public struct MoveRequest: Sendable {
  /// The PV to be emptied, or parts of it.
  public var source: PhysicalVolumeArgument
  /// Nil stands for all others.
  public var destinations: [PhysicalVolumeArgument]?
  /// Only extents of this LV.
  public var volume: String?
  public var allocation: AllocationChoice?
}

/// pvmove (lvm2-allocation 10).
extension GroupEdit {
  /// A piece of an LV's area that is to move.
  private struct MovedArea {
    var volume: String
    var segment: Int
    var area: Int
    /// Extents on the source.
    var extents: Range<Int>
    /// Of its segment, the source included.
    var avoided: Set<LVMIdentifier>
  }

  public mutating func move(_ request: MoveRequest) throws(VolumeGroupRefusal) {
    try group.checkChangeable()
    let choices = try group.physicalVolumeChoices(
      [request.source], deviceName: context.deviceName, resolve: context.physicalVolume)
    guard let source = choices.first, choices.count == 1 else {
      throw VolumeGroupRefusal("pvmove needs one source physical volume.")
    }
    splitSegments(on: source, only: request.volume)
    let moved = try movedAreas(on: source, only: request.volume)
    guard !moved.isEmpty else {
      throw VolumeGroupRefusal("No data to move for \(group.name).")
    }
    let found = try destinations(for: moved, request, source: source.id)
    apply(found, to: moved, source: source.id)
    print("\(context.deviceName(source.id)): Moved: 100.00%")
  }

  // MARK: - What moves

  /// Lets segments end where a range of the source begins or ends.
  private mutating func splitSegments(on source: PhysicalVolumeChoice, only name: String?) {
    let bounds = Set((source.ranges ?? []).flatMap { [$0.lowerBound, $0.upperBound] })
    for index in group.logicalVolumes.indices {
      var segments: [Segment] = []
      for segment in group.logicalVolumes[index].segments {
        let cuts = Set(
          (segment.stripedLayout?.areas ?? []).filter { $0.physicalVolume == source.id }
            .flatMap { area in
              bounds.map { $0 - area.firstExtent }.filter {
                0 < $0 && $0 < segment.extentCountPerArea
              }
            })
        segments += segment.split(atAreaOffsets: cuts.sorted())
      }
      group.logicalVolumes[index].segments = segments
    }
  }

  private func movedAreas(
    on source: PhysicalVolumeChoice, only name: String?
  ) throws(VolumeGroupRefusal) -> [MovedArea] {
    var moved: [MovedArea] = []
    for volume in group.logicalVolumes {
      if let name, volume.name != name, !isPart(volume.name, of: name) { continue }
      for (index, segment) in volume.segments.enumerated() {
        guard let layout = segment.stripedLayout else { continue }
        for (place, area) in layout.areas.enumerated() where area.physicalVolume == source.id {
          let end = area.firstExtent + segment.extentCountPerArea
          guard source.ranges?.contains(where: { $0.contains(area.firstExtent) }) ?? true else {
            continue
          }
          guard !volume.status.contains(.locked), !volume.status.contains(.pvmove) else {
            throw VolumeGroupRefusal(
              "Skipping locked LV \(group.name)/\(volume.name): a pvmove is under way.")
          }
          moved.append(
            MovedArea(
              volume: volume.name, segment: index, area: place, extents: area.firstExtent..<end,
              avoided: Set(layout.areas.compactMap(\.physicalVolume))))
        }
      }
    }
    return moved
  }

  private func isPart(_ part: String, of name: String) -> Bool {
    guard let volume = group.logicalVolume(named: name) else { return false }
    let below = volume.referencedNames
    return below.contains(part) || below.contains { isPart(part, of: $0) }
  }

  // MARK: - Where to

  private mutating func destinations(
    for moved: [MovedArea], _ request: MoveRequest, source: LVMIdentifier
  ) throws(VolumeGroupRefusal) -> FoundExtents {
    let policy = request.allocation?.policy ?? group.allocationPolicy
    var allocation = AllocationRequest(
      extentCount: 0, areaCount: 1, multiple: 1, policy: policy, settings: settings.allocation)
    for area in moved {
      let start = allocation.extentCount
      allocation.extentCount += area.extents.count
      allocation.parallelAreas.append(
        .init(extents: start..<allocation.extentCount, avoided: area.avoided))
    }
    let barred = volumesBesideImages(of: moved, source: source)
    var choices =
      try request.destinations.map { arguments throws(VolumeGroupRefusal) in
        try group.physicalVolumeChoices(
          arguments, deviceName: context.deviceName, resolve: context.physicalVolume)
      } ?? group.physicalVolumes.map { PhysicalVolumeChoice(id: $0.id) }
    choices.removeAll { choice in
      (choice.id == source && policy != .anywhere) || barred.contains(choice.id)
    }
    let extents = try group.allocatableExtents(choices, requiringAny: false)
    guard extents.freeExtentCount > 0 else {
      throw VolumeGroupRefusal("No extents available for allocation.")
    }
    do {
      return try group.allocate(allocation, from: extents)
    } catch {
      var refusal = error
      refusal.messages += [
        "Unable to allocate mirror extents for \(group.name)/\(generatedName("pvmove")).",
        "Failed to convert pvmove LV to mirrored.",
      ]
      throw refusal
    }
  }

  /// PVs that hold other parts of a mirror or RAID volume: its images stay apart.
  private func volumesBesideImages(
    of moved: [MovedArea], source: LVMIdentifier
  ) -> Set<LVMIdentifier> {
    var barred: Set<LVMIdentifier> = []
    let names = Set(moved.map(\.volume))
    for volume in group.logicalVolumes {
      for segment in volume.segments {
        guard let layout = segment.imageLayout else { continue }
        let parts = layout.images + layout.metadata + [layout.log].compactMap { $0 }
        guard parts.contains(where: { names.contains($0) }) else { continue }
        for part in parts.compactMap({ group.logicalVolume(named: $0) }) {
          for area in part.segments.flatMap({ $0.stripedLayout?.areas ?? [] }) {
            if let id = area.physicalVolume, id != source { barred.insert(id) }
          }
        }
      }
    }
    return barred
  }

  // MARK: - The result

  private mutating func apply(
    _ found: FoundExtents, to moved: [MovedArea], source: LVMIdentifier
  ) {
    var parts = found.parts[...]
    var pieces: [[FoundExtents.Part]] = []
    for area in moved {
      var rest = area.extents.count
      var own: [FoundExtents.Part] = []
      while rest > 0, let part = parts.popFirst() {
        own.append(part)
        rest -= part.extentCountPerArea
      }
      pieces.append(own)
    }
    // From the end, so that the numbers of segments before stay what they are.
    for (area, own) in zip(moved, pieces).reversed() {
      var offset = 0
      var segments: [Segment] = []
      update(area.volume) { volume in
        let segment = volume.segments[area.segment]
        let cuts = own.dropLast().reduce(into: [Int]()) {
          $0.append(($0.last ?? 0) + $1.extentCountPerArea)
        }
        segments = segment.split(atAreaOffsets: cuts)
        for (index, part) in own.enumerated() {
          guard let layout = segments[index].stripedLayout else { continue }
          var changed = layout
          changed.areas[area.area] = part.areas[0]
          segments[index].kind = .striped(changed)
        }
        volume.segments.replaceSubrange(area.segment...area.segment, with: segments)
      }
      for part in own {
        if let destination = part.areas[0].physicalVolume {
          copies.append(
            ExtentCopy(
              source: source, firstExtent: area.extents.lowerBound + offset,
              destination: destination, destinationExtent: part.areas[0].firstExtent,
              extentCount: part.extentCountPerArea))
        }
        offset += part.extentCountPerArea
      }
    }
    for index in group.logicalVolumes.indices {
      group.logicalVolumes[index].mergeAdjacentSegments()
    }
    for name in Set(moved.map(\.volume)).sorted() {
      for volume in group.logicalVolumes where volume.name == name || isPart(name, of: volume.name)
      {
        if context.isActive(volume.id), !reloads.contains(volume.name) {
          reloads.append(volume.name)
        }
      }
    }
  }
}

extension Segment {
  /// Pieces that together are the segment, cut at extents counted within each area.
  fileprivate func split(atAreaOffsets cuts: [Int]) -> [Segment] {
    guard !cuts.isEmpty, let layout = stripedLayout else { return [self] }
    let bounds = [0] + cuts + [extentCountPerArea]
    return zip(bounds, bounds.dropFirst()).map { start, end in
      var piece = self
      piece.startExtent = startExtent + start * layout.areas.count
      piece.extentCount = (end - start) * layout.areas.count
      var areas = layout.areas
      for index in areas.indices { areas[index].firstExtent += start }
      piece.kind = .striped(
        StripedLayout(areas: areas, stripeSizeSectors: layout.stripeSizeSectors))
      return piece
    }
  }
}
