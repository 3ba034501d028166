"""One adapter a peer: how it submits, bulk submits, waits for a result, and starts a worker.

Each module defines a class `Peer` (see base.py) in the peer's own words, as its
documentation would have it, and is imported only by that peer's interpreter. The
address of its server is BENCH_URL.
"""
