"""The worker's last word on a job that somebody it trusts has signed: may it run here, and how?

First the policy (`policy.py`), then what this machine can do to keep to it (`isolation.py`).
`relayq policy check` asks the same judge, so it cannot say anything else than the worker.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from relayq.model.job import JobSpec
from relayq.model.signer import Signer
from relayq.worker.isolation import Isolation, Terms
from relayq.worker.policy import NONE, Policy, judge
from relayq.worker.policyfile import load_policy

if TYPE_CHECKING:
    from relayq.config import Config


class Judge:
    """A policy and the isolation of one worker."""

    def __init__(self, policy: Policy, isolation: Isolation) -> None:
        self.policy, self.isolation = policy, isolation

    @classmethod
    def of(cls, config: Config, place: Path | None = None) -> Judge:
        """Read the policy and try what this machine can do; ConfigError for a policy that is wrong."""
        policy = load_policy(config.policy_path)
        is_asked = config.worker.isolation != NONE or bool(policy.sections)
        return cls(policy, Isolation.find(config, place, is_boxing=is_asked))

    def terms(self, spec: JobSpec, signer: Signer) -> Terms:
        """The conditions under which the job runs; Refused when it may not."""
        judge(self.policy, spec, signer)
        return self.isolation.settle(self.policy, spec, signer)
