"""What RelayQ's exit codes mean; `run` and `wait` on one job pass the job's own code on.

Errors carry their code themselves (`RelayQError.exit_code`); these are the others.
"""

OK = 0
FAILED = 1
USAGE = 2
TIMED_OUT = 124
RELAYQ_FAILED = 125
INTERRUPTED = 130
