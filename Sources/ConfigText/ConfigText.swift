// LVM's configuration text: lvm.conf, the metadata text, lvmlockd's and the admin protocol.
