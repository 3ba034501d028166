"""Run jobs on the machine you own: a worker, its keeper, and what they leave on disk.

`worker.py` is the main loop, `attempt.py` prepares one attempt, `keeper.py` is the
small process that is the parent of all attempts and outlives the worker, `output.py`
tails what they write, `spool.py` journals what the hub has not yet taken, and
`probe.py` says what this machine offers. Nothing is imported here: the keeper
starts from these files without importing the package.
"""
