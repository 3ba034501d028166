"""What is left of this machine while attempts run on it.

Plain arithmetic on the keys of `model.needs.cost`: nobody measures what a job really
uses. A slot is room in a worker, so `--slots 4` is no more than a machine of four cpus.
"""

from __future__ import annotations


class Room:
    """The free resources of the worker: taken before a start, given back after an end."""

    def __init__(self, capacity: dict[str, int]) -> None:
        self.capacity = capacity
        self.free = dict(capacity)
        self.takers = 0

    def fits(self, cost: dict[str, int]) -> bool:
        """Can this be taken now?"""
        free = self.free
        return all(free.get(key, 0) >= amount for key, amount in cost.items())

    def would_fit_empty(self, cost: dict[str, int]) -> bool:
        """Could this be taken if nothing ran?"""
        return all(self.capacity.get(key, 0) >= amount for key, amount in cost.items())

    def take(self, cost: dict[str, int]) -> None:
        """Take it, even beyond what is free: what was adopted runs already."""
        self.takers += 1
        for key, amount in cost.items():
            self.free[key] = self.free.get(key, 0) - amount

    def give(self, cost: dict[str, int]) -> None:
        """Give back what was taken."""
        self.takers -= 1
        for key, amount in cost.items():
            self.free[key] += amount

    def left(self) -> dict[str, int]:
        """What is free, as the hub is told: never below nothing."""
        return {key: max(0, amount) for key, amount in self.free.items()}
