// Who is in the cluster, in which order things happen, and who decides.
