// The unix sockets on which unmodified lvm commands talk to the daemon.
