"""The protocols that clients speak to the proxy, sans-IO: bytes in, events and bytes out.

Everything here is fed by hostile clients: what is stored is bounded, what is done grows
with the bytes taken, and each input ends in a request or in the protocol's own error. A
destination leaves this package only through ``hosts.clean_host()``.
"""
