// The daemon: configuration, wiring, start-up and shutdown order.
