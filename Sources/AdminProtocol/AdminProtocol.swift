// What clvm and clvmd say to each other.
