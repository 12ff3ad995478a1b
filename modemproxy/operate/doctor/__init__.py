"""``modemproxy doctor``: the set-up examined step by step, with what to do about each.

command.py      the command; the configuration
examination.py  the steps in their order, and what each needs
host.py         a running proxy, the port, its rights, who holds it
answer.py       the module's answer, its speed, what it is
subscription.py SIM, signal, registration, PDP context
network.py      socket commands, the stack, the address, UDP, names
listeners.py    the ports of this host
machine.py      serial devices; holders.py: processes that have something open
show.py         lines for people, JSON for programs
"""
