"""The front door: hand one job to a hub from a step that has installed nothing.

`python3 -ISB .github/actions/submit/submit.py` runs this out of a checked-out repository;
`relayq submit --wire` is the same code, installed. It stands on `model`, `trust` and
`store.wire` (with `store.tls`) alone and speaks Python 3.9: a runner's python3 is whatever it is.

`action.py` is the step, from its inputs (`inputs.py`) to what it tells its runner
(`runner.py`, `cost.py`). `sender.py` is the submit-only user at the hub, `identity.py` says who
signs, `waiting.py` what may be learnt of the job, `slots.py` which slot of a schedule is
meant, `notices.py` who shall be told on GitHub.
"""
