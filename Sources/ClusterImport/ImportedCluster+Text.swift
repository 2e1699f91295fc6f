import ConfigText

extension ImportedCluster {
  /// The settings `cluster/name` and `cluster/nodes` of clvmd.conf.
  public var settings: ConfigSection {
    var sections = ConfigSection()
    for node in nodes {
      var section = ConfigSection()
      section.append("id", .integer(Int64(node.id)))
      for (name, address) in zip(["address", "second_address"], node.addresses) {
        section.append(name, .string(address))
      }
      sections.append(node.name, section)
    }
    var cluster = ConfigSection()
    cluster.append("name", .string(name))
    cluster.append("nodes", sections)
    return cluster
  }

  /// A whole clvmd.conf.
  public func configurationText(from path: String) -> String {
    var whole = ConfigSection()
    whole.append("cluster", settings)
    return """
      # Configuration of clvmd(8), taken from \(path.oneLine); clvmd.conf(5) explains each setting.
      # 'clvm cluster init' adds the cluster's id and makes keys.


      """ + String(decoding: whole.text(style: .indented), as: UTF8.self)
  }
}

extension String {
  /// A name in a comment must not end the comment.
  fileprivate var oneLine: String { String(map { $0.isNewline ? " " : $0 }) }
}
