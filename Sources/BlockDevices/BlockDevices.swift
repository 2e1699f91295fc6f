// Finding, probing, reading and writing block devices.
