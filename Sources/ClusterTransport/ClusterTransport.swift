// Connections between the daemons, and between lock managers, on SwiftNIO.
