"""An A76XX module in software: the DCE that demo, bench and tests talk to.

The way a byte goes, from the DTE's side inwards::

    pty.py      a tty, paced, with a speed of its own     (or any trio stream)
    module.py   drives the core with trio: streams in, clock in, nothing else
    dce.py      the sans-IO core: command lines in, result codes out
    commands_*  one file per chapter of the AT manual, each a table of handlers
    stack.py    the module's TCP/IP stack: network, links, servers
    internet.py what the stack needs of the world; memory.py and sockets.py provide it

Nothing is imported here, so that the command line can list options without trio.
"""
