"""The soak: simulated worlds full of faults, and a checker that judges what was recorded.

``world`` runs the product over an emulated module under virtual time, everything from one
seed; ``checker`` knows nothing of all that and judges histories afterwards. Run it with
``python -m tests.soak --help``.
"""
