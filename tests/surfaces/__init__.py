"""What clients see: sockets on one side, an emulated module on the other."""
