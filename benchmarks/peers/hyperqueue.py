"""HyperQueue: no Redis, its own server and worker in Rust; measured where it has the row.

It keeps its jobs in memory; its tasks are commands. An array is one job with so many
tasks that run the same command.
"""

import tempfile
import time

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig

CPUS = (1, 4, 16)


class Peer:
    """HyperQueue as its documentation has it."""

    def figures(self, quick):
        """Return its figures by row key."""
        return {
            "drain_shell": max(_drain(200 if quick else 1500, cpus) for cpus in CPUS),
            "array": _array(10_000 if quick else 100_000),
        }


def _drain(count, cpus):
    """Tasks a second: all are submitted, and one worker works until none is left."""
    with tempfile.TemporaryDirectory() as directory, LocalCluster(directory) as cluster:
        client = cluster.client()
        cluster.start_worker(WorkerConfig(cores=cpus))
        first = client.submit(_true(cpus))
        client.wait_for_jobs([first])
        begin = time.perf_counter()
        client.wait_for_jobs([client.submit(_true(count))])
        return count / (time.perf_counter() - begin)


def _array(size):
    """Tasks a second that its Python client submits in one job, with nobody working."""
    with tempfile.TemporaryDirectory() as directory, LocalCluster(directory) as cluster:
        client = cluster.client()
        job = _true(size)
        begin = time.perf_counter()
        client.submit(job)
        return size / (time.perf_counter() - begin)


def _true(count):
    job = Job()
    for _ in range(count):
        job.program(["true"], stdout=None, stderr=None)
    return job
