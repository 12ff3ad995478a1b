"""Talking to the running proxy from this machine: the admin socket, and who asks it."""
