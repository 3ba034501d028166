"""The hub of people who have none: a private server on this machine, started when first needed.

`server.py` finds a server program and writes its configuration, `embedded.py`
starts and stops it, `process.py` knows whose process a pid is, `caretaker.py`
ends it after an hour without use, `status.py` says how it is, `choose.py`
decides which hub a command talks to.
"""
