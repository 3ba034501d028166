"""Run jobs on the machine you own: a worker, its keeper, and what they leave on disk.

`worker.py` is the main loop, `attempt.py` one attempt, `output.py` tails what it
writes, `spool.py` journals what the hub has not yet taken, and `probe.py` says what
this machine offers. `keeper.py` is the small process that is the parent of all
attempts and outlives the worker; it consists of `care.py`, `kept.py`, `spawn.py` and
`tree.py`, and `keeping.py` talks to it. Nothing is imported here: the keeper starts
from these files without the package.
"""
