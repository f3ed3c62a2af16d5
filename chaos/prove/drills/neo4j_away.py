"""A Neo4j does not answer: does the diagnosis tell the causes from one another?

Three causes that look the same to users. The procedure only looks, so what is proven is that its
answers fit the cause that is there, and none of the others.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from chaos.kube import ClusterError, Json
from chaos.kube.system_under_test import wait
from chaos.parts.find import PartError
from chaos.parts.graph import NEO4J, Graph
from chaos.prove.drills import data
from chaos.prove.drills.base import Drill, Stage, sight, suffering
from slo.runbook.model import Effect, Procedure
from slo.system.parts import Neo4jPart
from slo.verdict.proofs import Sight

DOWN, PASSWORD, CUT = "member down", "wrong password", "network cut"
POLICY = "gameday-network-cut"
GONE_S, ROLLED_S = 120.0, 90.0
ITEMS = 3
_RESTARTED = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"
# What a reader of the answers would go by, in the words of kubectl and of Neo4j.
_GONE = r"""pods "{member}" not found|No resources found in \S+ namespace"""
_GONE += r"""|^{service}\S*\s.*<(?:none|unset)>"""
_NOT_LET_IN = re.compile(
    r"unauthorized due to authentication failure|incorrect authentication details"
    r"|Security\.Unauthorized|AuthenticationRateLimit"
)
_DATED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_ANSWERS = re.compile(r'"neo4j", .*"online"')


def cause(answers: str, member: str, service: str) -> str:
    """What the outputs of the commands say is wrong; "" where they do not tell.

    `member` is the name of the first pod, `service` that of the Service. Without lines of a log
    that are older than the trouble: see `since`.
    """
    if _NOT_LET_IN.search(answers):
        return PASSWORD
    if _ANSWERS.search(answers):
        return CUT  # it is well where it runs, and its clients do not reach it
    gone = _GONE.format(member=re.escape(member), service=re.escape(service))
    return DOWN if re.search(gone, answers, re.MULTILINE) else ""


def since(answers: str, begun: datetime) -> str:
    """Without the lines that bear a time (UTC) before it, as whoever reads a log leaves them out.

    The log of a member that lives on still has what was wrong the last time.
    """
    start = f"{begun:%Y-%m-%d %H:%M:%S}"
    kept = (x for x in answers.splitlines() if not (_DATED.match(x) and x[: len(start)] < start))
    return "\n".join(kept)


class Neo4jAway(Drill):
    touches = (NEO4J,)
    condition = f"Neo4j does not answer, for one of three causes: {DOWN}, {PASSWORD}, {CUT}"
    claim = "the answers tell each cause from the others"
    cure_within_s = 0.0
    sign_within_s = 90.0
    once = ("diagnosis",)

    def fits(self, procedure: Procedure) -> bool:
        """It asks about Neo4j, and changes nothing."""
        effects = {s.effect for s in procedure.steps if s.commands}
        title = procedure.title
        named = any(p.named_in(title) for p in self.parts if isinstance(p, Neo4jPart))
        about = named or NEO4J.casefold() in title.casefold()
        return bool(effects) and Effect.CHANGES not in effects and about

    def needs(self, stage: Stage) -> None:
        graph = Graph.of(stage.system, stage.procedure.title)
        stage.memory["graph"], stage.memory["secret"] = graph, graph.secret
        stage.memory["service"] = graph.service(stage.system)
        try:
            stage.memory["check"] = data.check_of(stage, graph.part, NEO4J)
        except PartError:
            stage.memory["check"] = None

    def prepare(self, stage: Stage) -> None:
        """What is written now is there, so that its going is this case's, not the one's before."""
        if stage.memory["check"] is not None:
            data.write(stage, stage.memory["check"], most=ITEMS)
            if len(data.items_of(stage)) < ITEMS or not wait(lambda: data.all_known(stage), GONE_S):
                raise ClusterError("what is written to the service is not read back")
        stage.memory["begun"] = datetime.now(UTC)

    def sign(self, stage: Stage) -> str:
        """What the database keeps cannot be read; without a check of that, users suffer."""
        check = stage.memory["check"]
        if check is None:
            return suffering(stage)
        return "" if data.known(stage) else f"{check.name}: none can be read"

    def sights(self, stage: Stage) -> Sequence[Sight]:
        answers = "\n".join(s.output for s in stage.steps)
        graph: Graph = stage.memory["graph"]
        member, service = f"{graph.name}-0", stage.memory["service"]
        told = cause(since(answers, stage.memory["begun"]), member, service)
        seen = f"they say: {told}" if told else "they do not tell"
        wanted = f"the answers say: {self.case}"
        return (sight("diagnosis", wanted, holds=told == self.case, seen=seen),)


class MemberDown(Neo4jAway):
    case = DOWN

    def fault(self, stage: Stage) -> None:
        graph: Graph = stage.memory["graph"]
        stage.system.scale(graph.kind, graph.name, 0)
        wait(lambda: not stage.system.raw_pods(graph.selector), GONE_S)


class WrongPassword(Neo4jAway):
    case = PASSWORD

    def fault(self, stage: Stage) -> None:
        """The Secret of the clients is another; they read it when they start."""
        value = "bm90LXRoZS1wYXNzd29yZA=="  # not-the-password
        name, key = stage.memory["secret"]
        change = [{"op": "add", "path": f"/data/{key}", "value": value}]
        stage.system.patch("Secret", name, lambda _: change)
        stage.system.patch(stage.system.kind, stage.system.workload, _restart)
        wait(lambda: not stage.system.settled(), ROLLED_S)


class NetworkCut(Neo4jAway):
    case = CUT

    def fault(self, stage: Stage) -> None:
        """Nobody may connect to the database; the database itself is well."""
        ref = stage.system.ref("NetworkPolicy", POLICY)
        manifest = {
            "apiVersion": ref.kind.api_version,
            "kind": ref.kind.kind,
            "metadata": {"name": POLICY, "namespace": stage.system.namespace},
            "spec": {
                "podSelector": stage.memory["graph"].workload["spec"]["selector"],
                "policyTypes": ["Ingress"],
                "ingress": [],
            },
        }
        stage.system.cluster.make(ref, manifest)


Neo4jAway.cases = (MemberDown, WrongPassword, NetworkCut)


def _restart(found: Json) -> list[Json]:
    """As `kubectl rollout restart` does it."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    made: list[Json] = []
    if not found["spec"]["template"]["metadata"].get("annotations"):
        made = [{"op": "add", "path": _RESTARTED.rpartition("/")[0], "value": {}}]
    return [*made, {"op": "add", "path": _RESTARTED, "value": now}]
