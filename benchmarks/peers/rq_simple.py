"""RQ without the fork: `rq worker -w rq.SimpleWorker` runs its jobs in its own process."""

from benchmarks.peers import rq


class Peer(rq.Peer):
    """RQ, with the worker that its documentation offers for speed."""

    options = "--worker-class rq.SimpleWorker"
