"""``modemproxy bench``: measure, beside what the line allows and what others get from it.

Three processes, so that the CPU figures are the proxy's own:

    station.py   the emulated module on a paced tty and the far side (child process)
    proxy.py     ``modemproxy run`` as users run it (child process)
    the rest     clients of the proxy, and the loops it is compared with (this process)

Every figure stands beside the arithmetic limit (limits.py), a bare loop of the same AT
commands on the same line, and baselines written from their description (loops.py).
"""
