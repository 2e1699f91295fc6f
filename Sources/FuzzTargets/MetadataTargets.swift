import BlockDevices
import ByteCoding
import ConfigText
import Fuzzing
import LVMMetadata

extension FuzzTarget {
  /// The start of a device: label sectors and a metadata area, whose checksums are put right before
  /// each run, so that what was mutated gets past them.
  public static let metadataDevice = FuzzTarget(
    name: "metadata-device",
    summary: "labels and metadata areas: scanned, changed, and the change taken back",
    corpusFolder: "Fixtures/lvm2/texts", maximumLength: MetadataImage.length + 8192,
    dictionary: MetadataImage.dictionary, seeds: MetadataImage.seeds
  ) { input throws(FuzzFailure) in
    try MetadataImage(input).run()
  }

  /// A metadata text: whatever is read can be written and is then read as the same.
  public static let metadataText = FuzzTarget(
    name: "metadata-text", summary: "a metadata text is refused, or written again without a loss",
    corpusFolder: "Fixtures/lvm2/texts", maximumLength: 16384,
    dictionary: MetadataImage.textDictionary
  ) { input throws(FuzzFailure) in
    var digest = ResultDigest()
    let text: MetadataText
    do throws(MetadataTextError) {
      text = try MetadataText(parsing: input)
    } catch {
      digest.add(error.kindNumber)
      return digest.value
    }
    let group = text.volumeGroup
    digest.add(1 + group.logicalVolumes.count + group.physicalVolumes.count << 16)
    for form in [MetadataTextForm.disk, .file] {
      guard let again = try? MetadataText(parsing: text.bytes(form: form)) else {
        // Words that no text can hold may have been in it: LVM could not write it either.
        guard (try? group.checkWritable()) == nil else {
          throw FuzzFailure("what was written as \(form) cannot be read: \(group.name)")
        }
        continue
      }
      guard again.volumeGroup == group else {
        throw FuzzFailure("\(group.name) is not what it was when written as \(form)")
      }
    }
    return digest.value
  }

  /// Configuration text: two ways to read it must agree, and what is read is written the same.
  public static let configText = FuzzTarget(
    name: "config-text", summary: "configuration text reads alike as a document and as a tree",
    corpusFolder: "Fixtures/lvm2/texts", maximumLength: 8192,
    dictionary: MetadataImage.textDictionary
  ) { input throws(FuzzFailure) in
    var digest = ResultDigest()
    let tree: ConfigSection
    do throws(ConfigSyntaxError) {
      tree = try ConfigSection(parsing: input)
    } catch {
      digest.add(error.problem.utf8.reduce(1) { ($0 &* 31 &+ Int($1)) & 0xFFFF })
      return digest.value
    }
    let document: ConfigDocument
    do {
      document = try ConfigDocument(parsing: input)
    } catch {
      throw FuzzFailure("a document is refused that is read as a tree: \(error)")
    }
    guard document.section(document.firstNode..<document.endNode) == tree else {
      throw FuzzFailure("document and tree differ")
    }
    for style in [ConfigStyle.raw, .indented] {
      guard let again = try? ConfigSection(parsing: tree.text(style: style)), again == tree else {
        throw FuzzFailure("a tree is not what it was when written in style \(style)")
      }
    }
    digest.add(document.endNode)
    return digest.value
  }

  /// Patterns of `devices/filter`, one a line, and then a name that is held against them.
  public static let deviceFilter = FuzzTarget(
    name: "device-filter", summary: "patterns of a device filter are refused or match in time",
    corpusFolder: "Fixtures/lvm2/filters", maximumLength: 48,
    dictionary: ["a|", "r|", "|", ".*", "^/dev/", "sd[a-z]", "(", ")", "+", "a{", "}", "\\"]
      .map { Array($0.utf8) }
  ) { input throws(FuzzFailure) in
    var digest = ResultDigest()
    let lines = String(decoding: input, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false
    ).map(String.init)
    let filter: DeviceFilter
    do throws(DeviceFilterError) {
      filter = try DeviceFilter(patterns: lines.dropLast().map { $0 })
    } catch {
      digest.add(error.problem.utf8.reduce(1) { ($0 &* 31 &+ Int($1)) & 0xFFFF })
      return digest.value
    }
    let names = ["/dev/" + (lines.last ?? ""), "/dev/sda1"]
    digest.add(filter.matcher().acceptedName(among: names) == nil ? 0 : 1)
    return digest.value
  }
}

extension MetadataTextError {
  /// The words of the problem, without names and numbers.
  fileprivate var kindNumber: Int {
    problem.utf8.reduce(2) {
      (0x61...0x7A).contains($1) ? ($0 &* 31 &+ Int($1)) & 0xFFFF_FFFF : $0
    }
  }
}
