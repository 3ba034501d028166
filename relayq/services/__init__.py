"""Things that outlive a login: what is written and run to install a service, as data.

`plan.py` is a list of files and commands that can be shown or carried out; `systemd.py`
and `launchd.py` hold the texts; `manager.py` is `relayq service`. The hub's own
installation (relayq/hub/installation.py) is a plan too.
"""
