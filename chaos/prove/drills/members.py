"""Several pods of Neo4j Community: as many databases, which know nothing of each other."""

from chaos.databases.identity import password_of
from chaos.kube import ClusterError
from chaos.parts.graph import Graph
from chaos.prove.drills import data
from chaos.prove.drills.base import Stage
from slo.verdict.proofs import ProofOutcome, Sight

_ASK_S = 60.0


def apart(stage: Stage, graph: Graph, names: list[str]) -> Sight:
    """Each is asked itself, as together they are no cluster."""
    check, written = stage.memory["check"], len(data.items_of(stage))
    wanted = f"all {written} {check.name} from before"
    counts = {name: _has(stage, graph, name) for name in names}
    told = ", ".join(
        f"{name} {'does not answer' if n is None else n}" for name, n in counts.items()
    )
    seen = (
        f"of {written}: {told}; {len(names)} pods of Neo4j Community are as many databases and no"
        " cluster"
    )
    if written not in counts.values():
        return Sight(name="data", finding=ProofOutcome.REFUTED, wanted=wanted, seen=seen)
    seen += ", so what the members of one would know is not verifiable here (Enterprise)"
    return Sight(name="data", finding=ProofOutcome.NOT_VERIFIABLE, wanted=wanted, seen=seen)


def _has(stage: Stage, graph: Graph, pod: str) -> int | None:
    """How many of the items one pod has; None where it does not say."""
    quoted = (i["id"].replace("\\", "\\\\").replace("'", "\\'") for i in data.items_of(stage))
    ids = "[" + ", ".join(f"'{i}'" for i in quoted) + "]"
    query = stage.memory["check"].count.replace("{ids}", ids)
    user, container = graph.part.user, graph.container["name"]
    try:
        password = password_of(stage.system, graph)
        command = ["cypher-shell", "-u", user, "-p", password, "--format", "plain", query]
        done = stage.system.cluster.execute(
            pod, stage.system.namespace, container, command, within_s=_ASK_S
        )
    except ClusterError:
        return None
    last = (done.text.split() or [""])[-1]
    return int(last) if last.isdecimal() else None
