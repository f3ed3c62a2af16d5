"""Pod kill: delete pods without grace, or kill the processes in their containers."""

import math
from random import Random
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chaos.cluster import Cluster, ClusterError, Pod, Workload
from chaos.faults.base import NoTargetError
from slo.journal import Target

# SIGKILL for every process but the init of the container's PID namespace, which the kernel shields
# from its own descendants (pid_namespaces(7)); that one gets SIGTERM when it is all there is.
KILL_SCRIPT = """
killed=0
for process in /proc/[0-9]*; do
  pid=${process#/proc/}
  [ "$pid" = 1 ] || [ "$pid" = "$$" ] || { kill -KILL "$pid" 2>/dev/null && killed=1; }
done
kill -KILL 1 2>/dev/null
[ "$killed" = 1 ] || kill -TERM 1
"""


class PodSelector(BaseModel):
    """Which pods: by labels (and fields), then `count` of them or `percent` (rounded up)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: dict[str, str] = Field(min_length=1)
    fields: dict[str, str] = Field(default_factory=dict)
    count: int | None = Field(default=None, ge=1)
    percent: float | None = Field(default=None, gt=0, le=100)

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.count is None) == (self.percent is None):
            raise ValueError("say how many: either 'count' or 'percent'")
        return self

    def amount(self, of: int) -> int:
        """How many of `of` pods."""
        return self.count if self.count is not None else math.ceil(of * (self.percent or 0) / 100)

    @property
    def label_selector(self) -> str:
        return ",".join(f"{k}={v}" for k, v in self.labels.items())

    @property
    def field_selector(self) -> str | None:
        return ",".join(f"{k}={v}" for k, v in self.fields.items()) or None

    def __str__(self) -> str:
        amount = str(self.count) if self.count is not None else f"{self.percent:g} %"
        return f"{amount} of {self.label_selector}"


class PodKill(BaseModel):
    """`delete` removes the pod object with grace 0; `process` leaves it, so that it restarts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["pod-kill"]
    how: Literal["delete", "process"] = "delete"
    select_pods: PodSelector = Field(alias="select")

    def describe(self) -> str:
        verb = "delete, no grace" if self.how == "delete" else "kill the process"
        return f"{self.kind} ({verb}): {self.select_pods}"

    def select(
        self, cluster: Cluster, namespace: str, seed: Random, max_share: float
    ) -> tuple[Target, ...]:
        wanted = self.select_pods
        pods = cluster.pods(namespace, wanted.label_selector, wanted.field_selector)
        pods = [p for p in pods if p.ready and not p.ending]
        if not pods:
            raise NoTargetError(f"no ready pod matches {wanted.label_selector} in {namespace}")
        amount = wanted.amount(len(pods))
        if amount > len(pods):
            raise NoTargetError(f"{amount} pods wanted, {len(pods)} ready ones match")
        if amount > max_share * len(pods):
            raise NoTargetError(
                f"{amount} of {len(pods)} pods is more than guardrails.max_share_of_pods allows"
                f" ({max_share:.0%})"
            )
        hit = seed.sample(pods, amount)
        return tuple(
            Target(
                kind="Pod",
                namespace=p.namespace,
                name=p.name,
                uid=p.uid,
                before={"restarts": sum(p.restarts.values())},
            )
            for p in hit
        )

    def inject(self, cluster: Cluster, targets: tuple[Target, ...]) -> None:
        for target in targets:
            if self.how == "delete":
                cluster.delete_pod(target.name, target.namespace, uid=target.uid, grace_s=0)
            else:
                self._kill_processes(cluster, target)

    def _kill_processes(self, cluster: Cluster, target: Target) -> None:
        pod = _find(cluster, self.select_pods, target)
        if pod is None:
            raise ClusterError(f"pod {target.namespace}/{target.name} is gone before the fault")
        for container in pod.containers:
            cluster.execute(
                target.name, target.namespace, container, ["sh", "-c", KILL_SCRIPT.strip()]
            )

    def effect(self, cluster: Cluster, targets: tuple[Target, ...]) -> str | None:
        seen = [self._effect_on(cluster, t) for t in targets]
        return "; ".join(s for s in seen if s) if all(seen) else None

    def _effect_on(self, cluster: Cluster, target: Target) -> str | None:
        pod = _find(cluster, self.select_pods, target)
        if pod is not None and self.how == "delete":
            return None
        if pod is None:
            if cluster.endpoints(target.namespace, target.uid):
                return None
            return f"{target.name}: UID {target.uid[:8]} is gone, and so is its endpoint"
        before = target.before["restarts"]
        after = sum(pod.restarts.values())
        if after <= before:
            return None
        return f"{target.name}: container restarts went from {before} to {after}"

    def undone(self, cluster: Cluster, workload: Workload) -> str | None:
        """A pod kill leaves nothing behind once the workload is whole again.

        Asked of the pods themselves: the Deployment's own account lags behind them.
        """
        pods = cluster.pods(workload.namespace, workload.selector)
        ready = [p for p in pods if p.ready and not p.ending]
        if not workload.whole or len(ready) < workload.desired:
            return None
        return f"{workload.name}: {workload.ready} of {workload.desired} pods ready"


def _find(cluster: Cluster, selector: PodSelector, target: Target) -> Pod | None:
    pods = cluster.pods(target.namespace, selector.label_selector)
    return next((p for p in pods if p.uid == target.uid), None)
