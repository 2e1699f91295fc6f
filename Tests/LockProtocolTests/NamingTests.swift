import ClusterTypes
import FoundationEssentials
import Testing

@testable import LockProtocol

/// The numbers that follow from names must be the kernel's own.
struct NamingTests {
  private struct HashVectors: Decodable {
    struct Vector: Decodable {
      let name: String
      let hash: String
      let nodeOfThree: Int32
      let nodeOfWeighted: Int32

      enum CodingKeys: String, CodingKey {
        case name = "name_hex"
        case hash = "jhash"
        case nodeOfThree = "dir_nodeid_members_1_2_3"
        case nodeOfWeighted = "dir_nodeid_members_1w2_5w1_9w3"
      }
    }
    let vectors: [Vector]
  }

  private struct LockspaceVectors: Decodable {
    struct Vector: Decodable {
      let lockspace: String
      let id: UInt32

      enum CodingKeys: String, CodingKey {
        case lockspace
        case id = "id_decimal"
      }
    }
    let vectors: [Vector]
  }

  private static func nodes(_ numbers: Int32...) throws -> [NodeID] {
    try numbers.map { try #require(NodeID($0)) }
  }

  @Test func hashAndDirectoryNodeFollowTheVectors() throws {
    let file = try JSONDecoder().decode(
      HashVectors.self, from: try Recording.data("jhash-vectors.json"))
    let three = DirectoryMap(members: try Self.nodes(3, 1, 2))
    let weighted = try Self.nodes(1, 5, 9)
    let uneven = DirectoryMap(weights: [weighted[0]: 2, weighted[1]: 1, weighted[2]: 3])
    #expect(file.vectors.count == 42)
    for vector in file.vectors {
      let bytes = hexBytes(vector.name)
      let hash = try #require(UInt32(vector.hash.dropFirst(2), radix: 16))
      #expect(JenkinsHash.hash(bytes) == hash, "\(vector.name)")
      #expect(three.node(forHash: hash)?.rawValue == vector.nodeOfThree)
      #expect(uneven.node(forHash: hash)?.rawValue == vector.nodeOfWeighted)
    }
  }

  @Test func lockspaceIDFollowsTheVectors() throws {
    let file = try JSONDecoder().decode(
      LockspaceVectors.self, from: try Recording.data("lockspace-id-vectors.json"))
    #expect(file.vectors.count == 11)
    for vector in file.vectors {
      let name = try #require(LockspaceName(vector.lockspace))
      #expect(LockspaceID(name: name).rawValue == vector.id, "\(name)")
    }
  }

  @Test func weightlessMembersKeepEntriesOnlyWhenAllAreWeightless() throws {
    let nodes = try Self.nodes(1, 2)
    let name = try #require(ResourceName("any"))
    let oneCounts = DirectoryMap(weights: [nodes[0]: 0, nodes[1]: 1])
    #expect((0..<8).allSatisfy { oneCounts.node(forHash: $0 << 16) == nodes[1] })
    let noneCounts = DirectoryMap(weights: [nodes[0]: 0, nodes[1]: 0])
    #expect((0..<2).map { noneCounts.node(forHash: $0 << 16) } == nodes)
    #expect(DirectoryMap(members: []).node(for: name) == nil)
  }

  @Test func resourceNamesAreOneToSixtyFourBytes() {
    #expect(ResourceName([UInt8]()) == nil)
    #expect(ResourceName(Array(repeating: 7, count: 64)) != nil)
    #expect(ResourceName(Array(repeating: 7, count: 65)) == nil)
    #expect(ResourceName([0x4D, 0x00, 0xFF, 0x5C])?.description == "M\\x00\\xff\\x5c")
  }
}
