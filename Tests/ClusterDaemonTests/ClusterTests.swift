import Testing

/// Real daemons that talk over loopback. One after the other: each has threads and timeouts.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClusterTests {}
