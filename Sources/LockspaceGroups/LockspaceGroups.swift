// The agreed membership, stop and start of every named lockspace.
