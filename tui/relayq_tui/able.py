"""Is there a worker that could ever take a job, by what the job needs?

Asked for every waiting job that is seen, at every stroke of the clock: the answers are
kept until the workers are other ones. Tools count as there, for a worker tells of them only
when it is asked; so it is never said of a job that nobody could run it when somebody could.
"""

from __future__ import annotations

from collections.abc import Mapping

from relayq.errors import SpecError
from relayq.model.needs import Offer, parse_needs, unmet
from relayq.store.fleet import offer_of
from relayq_tui.rows import WorkerRow


class Ability:
    """What the workers that are online could run."""

    def __init__(self) -> None:
        self._workers: Mapping[str, WorkerRow] = {}
        self._offers: list[Offer] = []
        self._verdicts: dict[str, bool] = {}

    def lacks(self, needs: str, workers: Mapping[str, WorkerRow]) -> bool:
        """Can none of `workers` meet these needs? False where no worker is known at all."""
        if workers is not self._workers:
            self._workers, self._verdicts = workers, {}
            self._offers = [offer_of(dict(worker.offer)) for worker in workers.values() if worker.online]
        if needs not in self._verdicts:
            self._verdicts[needs] = bool(workers) and not self._is_met(needs)
        return self._verdicts[needs]

    def _is_met(self, needs: str) -> bool:
        try:
            wanted = parse_needs(needs)
        except SpecError:  # of a newer RelayQ, or made harmless for the screen: nothing is known of it
            return True
        return any(not unmet(wanted, offer, lambda _: True) for offer in self._offers)
