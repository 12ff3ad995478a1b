"""The AT dialogue, sans-IO: bytes in, events out. No trio, no clock, no logging."""
