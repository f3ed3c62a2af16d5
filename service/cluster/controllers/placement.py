"""Where a pod may run and where it had better: the scheduler's filters and scores.

Pure. Filters are asked in the order of kube-scheduler's plugins, and a node says why not in their
words. Requests are added up as in the real one, but a node may promise OVERCOMMIT times what it
has: one machine plays all of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from service.cluster.controllers.autoscaling.replicas import milli
from service.cluster.controllers.objects import (
    deleting,
    finished,
    is_true,
    labels,
    name,
    namespace,
    owners,
    selects,
    status,
)
from service.cluster.kube import Json

OVERCOMMIT = 8
_UNRESOLVABLE = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"
_BEST = 100


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a node is out; whether it could change if other pods made way."""

    reasons: tuple[str, ...]
    other_pods: bool = False


def tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool((toleration.get("value") or "") == (taint.get("value") or ""))


def untolerated(pod: Json, taints: Iterable[Json], effects: Sequence[str]) -> list[Json]:
    tolerations = pod["spec"].get("tolerations") or []
    return [
        taint
        for taint in taints
        if taint["effect"] in effects and not any(tolerates(t, taint) for t in tolerations)
    ]


# --- requests -----------------------------------------------------------------------------------


def requests(pod: Json) -> Counter[str]:
    """In thousandths: the containers' sum, or the largest init container where that is more."""
    spec = pod["spec"]
    total: Counter[str] = Counter()
    for container in spec["containers"]:
        total.update(_requests(container))
    for container in spec.get("initContainers") or []:
        asked = _requests(container)
        if container.get("restartPolicy") == "Always":
            total.update(asked)
        else:
            total |= asked
    total.update({r: milli(v) for r, v in (spec.get("overhead") or {}).items()})
    return total


def _requests(container: Json) -> Counter[str]:
    asked = (container.get("resources") or {}).get("requests") or {}
    return Counter({resource: milli(amount) for resource, amount in asked.items()})


def _host_ports(pod: Json) -> set[tuple[int, str]]:
    return {
        (port["hostPort"], port.get("protocol", "TCP"))
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or []
        if port.get("hostPort")
    }


# --- affinity -----------------------------------------------------------------------------------


def _matches_term(term: Json, node: Json) -> bool:
    """A NodeSelectorTerm; an empty one matches nothing."""
    rules, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not rules and not fields:
        return False
    return all(_holds(rule, labels(node)) for rule in rules) and all(
        _holds(rule, {"metadata.name": name(node)}) for rule in fields
    )


def _holds(rule: Json, wanted: dict[str, str]) -> bool:
    if rule["operator"] in ("Gt", "Lt"):
        try:
            held, bound = int(wanted[rule["key"]]), int(rule["values"][0])
        except (KeyError, ValueError):
            return False
        return held > bound if rule["operator"] == "Gt" else held < bound
    return selects({"matchExpressions": [rule]}, wanted)


def matches_node(pod: Json, node: Json) -> bool:
    """spec.nodeSelector and the required node affinity."""
    if not (pod["spec"].get("nodeSelector") or {}).items() <= labels(node).items():
        return False
    required = _affinity(pod, "nodeAffinity").get("requiredDuringSchedulingIgnoredDuringExecution")
    return not required or any(
        _matches_term(term, node) for term in required.get("nodeSelectorTerms") or []
    )


def _affinity(pod: Json, kind: str) -> Json:
    found: Json = (pod["spec"].get("affinity") or {}).get(kind) or {}
    return found


def _required(pod: Json, kind: str) -> list[Json]:
    return _affinity(pod, kind).get("requiredDuringSchedulingIgnoredDuringExecution") or []


def _preferred(pod: Json, kind: str) -> list[Json]:
    return _affinity(pod, kind).get("preferredDuringSchedulingIgnoredDuringExecution") or []


def _selector(term: Json, pod: Json) -> Json | None:
    """The term's labelSelector, narrowed by the pod's own values of matchLabelKeys."""
    selector: Json | None = term.get("labelSelector")
    keys = [k for k in term.get("matchLabelKeys") or [] if k in labels(pod)]
    if not keys:
        return selector
    exact = {**((selector or {}).get("matchLabels") or {}), **{k: labels(pod)[k] for k in keys}}
    return {**(selector or {}), "matchLabels": exact}


# --- all nodes and pods together ----------------------------------------------------------------


@dataclass(frozen=True)
class Board:
    """Nodes, and pods that are placed (spec.nodeName), as the scheduler sees them now."""

    nodes: Sequence[Json]
    pods: Sequence[Json]
    namespaces: Sequence[Json] = ()

    @cached_property
    def on(self) -> dict[str, list[Json]]:
        """Pods that run or will run, by node."""
        found: dict[str, list[Json]] = {name(node): [] for node in self.nodes}
        for pod in self.pods:
            if not finished(pod):
                found.setdefault(pod["spec"].get("nodeName") or "", []).append(pod)
        return found

    @cached_property
    def used(self) -> dict[str, Counter[str]]:
        found = {}
        for node, pods in self.on.items():
            found[node] = total = Counter[str]()
            for pod in pods:
                total.update(requests(pod))
        return found

    @cached_property
    def _labels_of(self) -> dict[str, dict[str, str]]:
        return {name(n): labels(n) for n in self.namespaces}

    def obstacle(self, pod: Json, node: Json) -> Obstacle | None:
        """Why the pod cannot run on the node; None when it can."""
        spec = node.get("spec") or {}
        if spec.get("unschedulable") and untolerated(pod, [_CORDON], ["NoSchedule"]):
            return Obstacle(("node(s) were unschedulable",))
        taints = [t for t in spec.get("taints") or [] if t["key"] != _CORDON["key"]]
        if not is_true(node, "Ready") or deleting(node):
            taints = [*taints, _NOT_READY]
        for taint in untolerated(pod, taints, ("NoSchedule", "NoExecute")):
            text = f"{{{taint['key']}: {taint.get('value') or ''}}}"
            return Obstacle((f"node(s) had untolerated taint {text}",))
        if not matches_node(pod, node):
            return Obstacle(("node(s) didn't match Pod's node affinity/selector",))
        checks: tuple[Callable[[Json, Json], Obstacle | None], ...] = (
            self._ports_taken,
            self._too_little,
            self._spread_too_unevenly,
            self._wrong_company,
        )
        return next((o for check in checks if (o := check(pod, node)) is not None), None)

    def _ports_taken(self, pod: Json, node: Json) -> Obstacle | None:
        wanted = _host_ports(pod)
        if wanted and any(wanted & _host_ports(other) for other in self.on[name(node)]):
            text = "node(s) didn't have free ports for the requested pod ports"
            return Obstacle((text,), other_pods=True)
        return None

    def _too_little(self, pod: Json, node: Json) -> Obstacle | None:
        allocatable, short = status(node).get("allocatable") or {}, []
        if len(self.on[name(node)]) >= int(allocatable.get("pods", 110)):
            short.append("Too many pods")
        used = self.used[name(node)]
        for resource, asked in sorted(requests(pod).items()):
            if resource not in allocatable:
                if resource not in ("cpu", "memory", "ephemeral-storage"):
                    short.append(f"Insufficient {resource}")
            elif asked and used[resource] + asked > OVERCOMMIT * milli(allocatable[resource]):
                short.append(f"Insufficient {resource}")
        return Obstacle(tuple(short), other_pods=True) if short else None

    def _spread_too_unevenly(self, pod: Json, node: Json) -> Obstacle | None:
        text = "node(s) didn't match pod topology spread constraints"
        for constraint in pod["spec"].get("topologySpreadConstraints") or []:
            if constraint.get("whenUnsatisfiable") != "DoNotSchedule":
                continue
            domain = labels(node).get(constraint["topologyKey"])
            if domain is None:
                return Obstacle((f"{text} (missing required label)",))
            counts = self._spread(pod, constraint)
            least = min(counts.values(), default=0)
            if len(counts) < (constraint.get("minDomains") or 1):
                least = 0
            own = selects(_selector(constraint, pod), labels(pod))
            if counts[domain] + own - least > constraint["maxSkew"]:
                return Obstacle((text,), other_pods=True)
        return None

    def _spread(self, pod: Json, constraint: Json) -> Counter[str]:
        """Matching pods by domain, of the nodes that the pod may run on."""
        key, selector = constraint["topologyKey"], _selector(constraint, pod)
        counts: Counter[str] = Counter()
        for node in self.nodes:
            if key in labels(node) and matches_node(pod, node):
                counts[labels(node)[key]] += sum(
                    namespace(other) == namespace(pod)
                    and not deleting(other)
                    and selects(selector, labels(other))
                    for other in self.on[name(node)]
                )
        return counts

    def _wrong_company(self, pod: Json, node: Json) -> Obstacle | None:
        for term in _required(pod, "podAffinity"):
            near = self._near(node, term["topologyKey"])
            if not any(self._meant(term, pod, other) for other in near) and not self._first(
                term, pod, node
            ):
                return Obstacle(("node(s) didn't match pod affinity rules",))
        for term in _required(pod, "podAntiAffinity"):
            near = self._near(node, term["topologyKey"])
            if any(self._meant(term, pod, other) for other in near):
                return Obstacle(("node(s) didn't match pod anti-affinity rules",), other_pods=True)
        for other_node in self.nodes:
            for other in self.on[name(other_node)]:
                for term in _required(other, "podAntiAffinity"):
                    key = term["topologyKey"]
                    together = key in labels(node) and labels(node)[key] == labels(other_node).get(
                        key
                    )
                    if together and self._meant(term, other, pod):
                        text = "node(s) didn't satisfy existing pods anti-affinity rules"
                        return Obstacle((text,), other_pods=True)
        return None

    def _near(self, node: Json, key: str) -> list[Json]:
        """Pods in the node's domain."""
        domain = labels(node).get(key)
        if domain is None:
            return []
        return [p for n in self.nodes if labels(n).get(key) == domain for p in self.on[name(n)]]

    def _first(self, term: Json, pod: Json, node: Json) -> bool:
        """The first of a group that wants its own company may start anywhere."""
        if term["topologyKey"] not in labels(node) or not self._meant(term, pod, pod):
            return False
        return not any(self._meant(term, pod, p) for pods in self.on.values() for p in pods)

    def _meant(self, term: Json, pod: Json, other: Json) -> bool:
        """Does the pod's term speak of the other pod?"""
        spaces, chosen = term.get("namespaces") or [], term.get("namespaceSelector")
        home = namespace(other)
        if not spaces and chosen is None:
            if home != namespace(pod):
                return False
        elif home not in spaces and not selects(chosen, self._labels_of.get(home, {})):
            return False
        return selects(_selector(term, pod), labels(other))

    # Scores

    def choose(self, pod: Json) -> Json | None:
        """The best of the fitting nodes; by name where several are as good."""
        fitting = [node for node in self.nodes if self.obstacle(pod, node) is None]
        scores = self._scores(pod, fitting)
        return max(
            fitting,
            key=lambda n: (scores[name(n)], -len(self.on[name(n)]), [-ord(c) for c in name(n)]),
            default=None,
        )

    def _scores(self, pod: Json, nodes: Sequence[Json]) -> Counter[str]:
        """kube-scheduler's default weights over scores from 0 to 100."""
        total: Counter[str] = Counter()
        measures = (
            (3, self._avoided, False),
            (2, self._liked, True),
            (2, self._company, True),
            (2, self._crowding, False),
        )
        for weight, measure, more_is_better in measures:
            raw = {name(node): measure(pod, node) for node in nodes}
            for where, score in _normalised(raw, more_is_better=more_is_better).items():
                total[where] += weight * score
        for node in nodes:
            total[name(node)] += self._spare(pod, node)
        return total

    @staticmethod
    def _avoided(pod: Json, node: Json) -> int:
        taints = (node.get("spec") or {}).get("taints") or []
        return len(untolerated(pod, taints, ["PreferNoSchedule"]))

    @staticmethod
    def _liked(pod: Json, node: Json) -> int:
        return sum(
            term["weight"]
            for term in _preferred(pod, "nodeAffinity")
            if _matches_term(term["preference"], node)
        )

    def _company(self, pod: Json, node: Json) -> int:
        score = 0
        for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
            for weighted in _preferred(pod, kind):
                term = weighted["podAffinityTerm"]
                near = self._near(node, term["topologyKey"])
                found = sum(self._meant(term, pod, other) for other in near)
                score += sign * weighted["weight"] * found
        return score

    def _crowding(self, pod: Json, node: Json) -> int:
        """By the constraints that are wishes; without any, of pods of the same owner."""
        wishes = [
            c
            for c in pod["spec"].get("topologySpreadConstraints") or []
            if c.get("whenUnsatisfiable") == "ScheduleAnyway"
        ]
        if wishes:
            return sum(
                self._spread(pod, c)[labels(node)[c["topologyKey"]]]
                for c in wishes
                if c["topologyKey"] in labels(node)
            )
        mine = {ref["uid"] for ref in owners(pod)}
        return sum(
            bool(mine & {ref["uid"] for ref in owners(other)}) for other in self.on[name(node)]
        )

    def _spare(self, pod: Json, node: Json) -> int:
        """The share of CPU and memory that is left, from 0 to 100 (LeastAllocated)."""
        allocatable, asked = status(node).get("allocatable") or {}, requests(pod)
        shares = []
        for resource in ("cpu", "memory"):
            if resource in allocatable:
                most = OVERCOMMIT * milli(allocatable[resource]) or 1
                left = most - self.used[name(node)][resource] - asked[resource]
                shares.append(max(0, left) * _BEST // most)
        return sum(shares) // len(shares) if shares else 0

    def refusal(self, pod: Json) -> str:
        """Why no node will do, as FailedScheduling says it."""
        if not self.nodes:
            return "no nodes available to schedule pods"
        obstacles = [o for node in self.nodes if (o := self.obstacle(pod, node)) is not None]
        reasons = Counter(reason for o in obstacles for reason in o.reasons)
        hopes = Counter(_NO_VICTIMS if o.other_pods else _UNRESOLVABLE for o in obstacles)
        head = f"0/{len(self.nodes)} nodes are available: "
        return f"{head}{_counted(reasons)}. preemption: {head}{_counted(hopes)}."


_CORDON = {"key": "node.kubernetes.io/unschedulable", "value": "", "effect": "NoSchedule"}
_NOT_READY = {"key": "node.kubernetes.io/not-ready", "value": "", "effect": "NoSchedule"}


def _counted(reasons: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))


def _normalised(raw: dict[str, int], *, more_is_better: bool) -> dict[str, int]:
    lowest, highest = min(raw.values(), default=0), max(raw.values(), default=0)
    if lowest == highest:
        return dict.fromkeys(raw, 0)
    share = {node: (value - lowest) * _BEST // (highest - lowest) for node, value in raw.items()}
    return share if more_is_better else {node: _BEST - value for node, value in share.items()}
