"""The front door: hand one job to a hub from a step that has installed nothing.

`python3 -I .github/actions/submit/submit.py` runs this out of a checked-out repository;
`relayq submit --wire` is the same code, installed. It stands on `model`, `trust` and
`store.wire` alone and speaks Python 3.9: a runner's python3 is whatever it is.

`sender.py` is the submit-only user at the hub, `waiting.py` what it may learn of its job,
`identity.py` who signs, `inputs.py` what a step was asked for, `notices.py` who shall be told on GitHub,
`runner.py` how a step speaks to its runner, `cost.py` what it costs in minutes and
`action.py` the step.
"""
