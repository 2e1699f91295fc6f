// Labels, metadata areas, the metadata text, the VG model and its commit protocol.
