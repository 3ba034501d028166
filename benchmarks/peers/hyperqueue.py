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
            "drain_shell": max(_drain(800 if quick else 2000, cpus) for cpus in CPUS),
            "array": _array(100_000),
        }


def _drain(count, cpus):
    """Tasks a second, up to the last look before all were done: it can be asked once a second."""
    looks = []
    with tempfile.TemporaryDirectory() as directory, LocalCluster(directory) as cluster:
        client = cluster.client()
        cluster.start_worker(WorkerConfig(cores=cpus))
        client.wait_for_jobs([client.submit(_true(cpus))])
        begin = time.perf_counter()
        job = client.submit(_true(count)).id

        def look(jobs):
            looks.append((time.perf_counter() - begin, jobs[job]["finished"]))

        client.connection.wait_for_jobs((job,), look)
    seconds, finished = next(entry for entry in reversed(looks) if entry[1] < count)
    return finished / seconds


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
