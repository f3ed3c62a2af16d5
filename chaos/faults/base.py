"""What a fault is: select targets, inject, confirm the effect from outside, see it undone.

One fault, one file. A fault is a validated value (its fields are its schema in a plan) with these
steps; the runner decides when they happen and writes each one to the journal.
"""

from random import Random
from typing import Protocol

from chaos.cluster import Cluster, Workload
from slo.journal import Target


class NoTargetError(Exception):
    """The selector matches nothing to break: an error, never a quiet success."""


class Fault(Protocol):
    @property
    def kind(self) -> str: ...

    def describe(self) -> str:
        """In words, for the journal and the report."""

    def select(
        self, cluster: Cluster, namespace: str, seed: Random, max_share: float
    ) -> tuple[Target, ...]:
        """The objects to hit. Raises NoTargetError; changes nothing.

        `max_share` is the largest ratio of the matching pods that may be hit at once.
        """

    def inject(self, cluster: Cluster, targets: tuple[Target, ...]) -> None:
        """Raises chaos.cluster.ClusterError when the cluster refuses."""

    def effect(self, cluster: Cluster, targets: tuple[Target, ...]) -> str | None:
        """What is seen from outside, in words, once the fault has bitten; until then None."""

    def undone(self, cluster: Cluster, workload: Workload) -> str | None:
        """How it is seen that nothing of the fault is left; until then None."""
