"""The graph database does not answer: does the diagnosis tell the causes from one another?

Three causes that look the same to users. The procedure only looks, so what is proven is that its
answers fit the cause that is there, and none of the others.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from chaos.databases.identity import KEY, NEO4J, SECRET
from chaos.kube import ClusterError, Json
from chaos.kube.system_under_test import wait
from chaos.prove.drills import volume
from chaos.prove.drills.base import Drill, Stage, sight
from chaos.prove.drills.graph import STATEFULSET
from slo.runbook.model import Effect, Procedure
from slo.verdict.proofs import Sight

DOWN, PASSWORD, CUT = "member down", "wrong password", "network cut"
POLICY = "gameday-network-cut"
THERE_S, GONE_S, ROLLED_S = 180.0, 120.0, 90.0
_RESTARTED = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"
# What a reader of the answers would go by, in the words of kubectl and of Neo4j.
_NO_MEMBER = re.compile(
    r'pods "neo4j-0" not found|No resources found in \S+ namespace'
    r"|^neo4j-service\S*\s.*<(?:none|unset)>",
    re.MULTILINE,
)
_NOT_LET_IN = re.compile(
    r"unauthorized due to authentication failure|incorrect authentication details"
    r"|Security\.Unauthorized|AuthenticationRateLimit"
)
_DATED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_ANSWERS = re.compile(r'"neo4j", .*"online"')


def cause(answers: str) -> str:
    """What the outputs of the commands say is wrong; "" where they do not tell.

    Without lines of a log that are older than the trouble: see `since`.
    """
    if _NOT_LET_IN.search(answers):
        return PASSWORD
    if _ANSWERS.search(answers):
        return CUT  # it is well where it runs, and its clients do not reach it
    return DOWN if _NO_MEMBER.search(answers) else ""


def since(answers: str, begun: datetime) -> str:
    """Without the lines that bear a time (UTC) before it, as whoever reads a log leaves them out.

    The log of a member that lives on still has what was wrong the last time.
    """
    start = f"{begun:%Y-%m-%d %H:%M:%S}"
    kept = (x for x in answers.splitlines() if not (_DATED.match(x) and x[: len(start)] < start))
    return "\n".join(kept)


class GraphAway(Drill):
    words = ("neo4j",)
    touches = (NEO4J,)
    condition = f"the graph does not answer, for one of three causes: {DOWN}, {PASSWORD}, {CUT}"
    claim = "the answers tell each cause from the others"
    cure_within_s = 0.0
    sign_within_s = 90.0
    once = ("diagnosis",)

    def fits(self, procedure: Procedure) -> bool:
        """It asks about Neo4j, and changes nothing."""
        effects = {s.effect for s in procedure.steps if s.commands}
        title = procedure.title.casefold()
        return bool(effects) and Effect.CHANGES not in effects and "neo4j" in title

    def prepare(self, stage: Stage) -> None:
        """The graph is there, so that its going is this case's, and not the one's before."""
        if not wait(lambda: _health(stage).get("status") == "ok", THERE_S):
            raise ClusterError(f"the service is not well before the drill: {_health(stage)}")
        stage.memory["begun"] = datetime.now(UTC)

    def sign(self, stage: Stage) -> str:
        found = _health(stage)
        if (found.get("components") or {}).get("graph") != "down":
            return ""
        return f"/health: {found['status']}, graph: {found['reasons'].get('graph', 'down')}"

    def sights(self, stage: Stage) -> Sequence[Sight]:
        answers = "\n".join(s.output for s in stage.steps)
        told = cause(since(answers, stage.memory["begun"]))
        seen = f"they say: {told}" if told else "they do not tell"
        wanted = f"the answers say: {self.case}"
        return (sight("diagnosis", wanted, holds=told == self.case, seen=seen),)


class MemberDown(GraphAway):
    case = DOWN

    def fault(self, stage: Stage) -> None:
        stage.system.scale("StatefulSet", STATEFULSET, 0)
        wait(lambda: not volume.owned(stage, STATEFULSET), GONE_S)


class WrongPassword(GraphAway):
    case = PASSWORD

    def fault(self, stage: Stage) -> None:
        """The Secret of the clients is another; they read it when they start."""
        value = "bm90LXRoZS1wYXNzd29yZA=="  # not-the-password
        stage.system.patch(
            "Secret", SECRET, lambda _: [{"op": "add", "path": f"/data/{KEY}", "value": value}]
        )
        stage.system.patch("Deployment", stage.system.workload, _restart)
        wait(lambda: not stage.system.settled(), ROLLED_S)


class NetworkCut(GraphAway):
    case = CUT

    def fault(self, stage: Stage) -> None:
        """Nobody may connect to the database; the database itself is well."""
        ref = stage.system.ref("NetworkPolicy", POLICY)
        manifest = {
            "apiVersion": ref.kind.api_version,
            "kind": ref.kind.kind,
            "metadata": {"name": POLICY, "namespace": stage.system.namespace},
            "spec": {
                "podSelector": {"matchLabels": {"app": STATEFULSET}},
                "policyTypes": ["Ingress"],
                "ingress": [],
            },
        }
        stage.system.cluster.make(ref, manifest)


GraphAway.cases = (MemberDown, WrongPassword, NetworkCut)


def _health(stage: Stage) -> Json:
    """What /health says; empty without an answer."""
    answer = stage.system.ask("GET", "/health")
    return dict(answer.json()) if answer is not None else {}


def _restart(found: Json) -> list[Json]:
    """As `kubectl rollout restart` does it."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    made: list[Json] = []
    if not found["spec"]["template"]["metadata"].get("annotations"):
        made = [{"op": "add", "path": _RESTARTED.rpartition("/")[0], "value": {}}]
    return [*made, {"op": "add", "path": _RESTARTED, "value": now}]
