// Cluster-wide volume changes: prepare, suspend, commit, resume on every node.
