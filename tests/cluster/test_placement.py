"""Where pods may run, and when they have to go: tables of cases and properties."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cluster.controllers import daemonset, nodes
from service.cluster.controllers.placement import OVERCOMMIT, Board, requests
from tests.cluster.objects import NOW, at, meta, node, pod, template

Json = dict[str, Any]
TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
HOST, ZONE = "kubernetes.io/hostname", "zone"


def waiting(name: str = "new", *, app: str = "web", cpu: str | None = None, **spec: Any) -> Json:
    made = pod(name, node=None, labels={"app": app}, phase="Pending")
    if cpu:
        made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
    made["spec"] |= spec
    return made


def term(app: str, key: str = HOST) -> Json:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}


def near(*terms: Json, kind: str = "podAffinity") -> Json:
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


def at_node(*rules: Json) -> Json:
    terms = {"nodeSelectorTerms": [{"matchExpressions": list(rules)}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def rule(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator, "values": list(values)}


def spread(skew: int = 1, key: str = HOST, **more: Any) -> Json:
    selector = {"matchLabels": {"app": "web"}}
    found = {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule"}
    return {**found, "labelSelector": selector, **more}


@pytest.mark.parametrize(
    ("why", "spec", "candidate", "reason"),
    [
        ("plain", {}, node(), None),
        ("not ready", {}, node(ready=False),
         "node(s) had untolerated taint {node.kubernetes.io/not-ready: }"),
        ("cordoned", {}, node(unschedulable=True), "node(s) were unschedulable"),
        ("selector missed", {"nodeSelector": {"disk": "ssd"}}, node(),
         "node(s) didn't match Pod's node affinity/selector"),
        ("selector met", {"nodeSelector": {"disk": "ssd"}}, node(labels={"disk": "ssd"}), None),
        ("tainted", {}, node(taints=[TAINT]), "node(s) had untolerated taint {gpu: yes}"),
        ("tolerated", {"tolerations": [{"key": "gpu", "value": "yes"}]}, node(taints=[TAINT]),
         None),
        ("another value", {"tolerations": [{"key": "gpu", "value": "no"}]}, node(taints=[TAINT]),
         "node(s) had untolerated taint {gpu: yes}"),
        ("tolerates all", {"tolerations": [{"operator": "Exists"}]}, node(taints=[TAINT]), None),
        ("a wish of the taint", {}, node(taints=[{**TAINT, "effect": "PreferNoSchedule"}]), None),
        ("affinity met", {"affinity": at_node(rule("disk", "In", "ssd", "nvme"))},
         node(labels={"disk": "nvme"}), None),
        ("affinity missed", {"affinity": at_node(rule("disk", "NotIn", "nvme"))},
         node(labels={"disk": "nvme"}), "node(s) didn't match Pod's node affinity/selector"),
        ("more than", {"affinity": at_node(rule("cores", "Gt", "4"))}, node(labels={"cores": "8"}),
         None),
        ("less than", {"affinity": at_node(rule("cores", "Lt", "4"))}, node(labels={"cores": "8"}),
         "node(s) didn't match Pod's node affinity/selector"),
    ],
)  # fmt: skip
def test_which_node_fits(why: str, spec: Json, candidate: Json, reason: str | None) -> None:
    found = Board([candidate], []).obstacle(waiting(**spec), candidate)
    assert (found.reasons if found else None) == ((reason,) if reason else None), why


def test_requests_are_added_up() -> None:
    held = waiting("held", cpu=f"{2 * OVERCOMMIT - 1}")
    held["spec"]["nodeName"] = "n1"
    board = Board([node()], [held])
    assert board.choose(waiting(cpu="1")) is not None
    assert board.choose(waiting(cpu="1001m")) is None
    assert board.refusal(waiting(cpu="1001m")) == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available:"
        " 1 No preemption victims found for incoming pod."
    )
    over = {**held, "status": {"phase": "Succeeded"}}
    assert Board([node()], [over]).choose(waiting(cpu="2")) is not None
    small = node(allocatable={"pods": "1"})
    full = Board([small], [held]).obstacle(waiting(), small)
    assert full is not None
    assert full.reasons == ("Too many pods",)
    exotic = waiting()
    exotic["spec"]["containers"][0]["resources"] = {"requests": {"example.com/gpu": "1"}}
    assert "Insufficient example.com/gpu" in Board([node()], []).refusal(exotic)


def test_an_init_container_asks_for_its_own_time_only() -> None:
    made = waiting(cpu="1")
    made["spec"]["initContainers"] = [{"resources": {"requests": {"cpu": "3", "memory": "1"}}}]
    assert requests(made) == Counter(cpu=3000, memory=1000)
    made["spec"]["initContainers"][0]["restartPolicy"] = "Always"
    assert requests(made)["cpu"] == 4000


ONE, TWO, THREE = (
    node("n1", labels={ZONE: "a"}),
    node("n2", labels={ZONE: "a"}),
    node("n3", labels={ZONE: "b"}),
)
DB_ON_1 = pod("db", node="n1", labels={"app": "db"})
GUARDED = pod("guarded", node="n1", labels={"app": "db"})
GUARDED["spec"]["affinity"] = near(term("web", ZONE), kind="podAntiAffinity")


@pytest.mark.parametrize(
    ("why", "spec", "pods", "fitting"),
    [
        ("beside the database", {"affinity": near(term("db"))}, [DB_ON_1], ["n1"]),
        ("in its zone", {"affinity": near(term("db", ZONE))}, [DB_ON_1], ["n1", "n2"]),
        ("where there is none", {"affinity": near(term("db"))}, [], []),
        ("the first of its own kind", {"affinity": near(term("web"))}, [], ["n1", "n2", "n3"]),
        ("away from it", {"affinity": near(term("db"), kind="podAntiAffinity")}, [DB_ON_1],
         ["n2", "n3"]),
        ("out of its zone", {"affinity": near(term("db", ZONE), kind="podAntiAffinity")},
         [DB_ON_1], ["n3"]),
        ("who is there may object", {}, [GUARDED], ["n3"]),
        ("evenly", {"topologySpreadConstraints": [spread()]},
         [pod("a", node="n1"), pod("b", node="n2")], ["n3"]),
        ("evenly by zone", {"topologySpreadConstraints": [spread(key=ZONE)]},
         [pod("a", node="n1")], ["n3"]),
        ("less evenly", {"topologySpreadConstraints": [spread(2)]}, [pod("a", node="n1")],
         ["n1", "n2", "n3"]),
        ("as a wish", {"topologySpreadConstraints": [spread(whenUnsatisfiable="ScheduleAnyway")]},
         [pod("a", node="n1")], ["n1", "n2", "n3"]),
        ("among the nodes that it may have", {"topologySpreadConstraints": [spread()],
         "nodeSelector": {ZONE: "a"}}, [pod("a", node="n1"), pod("b", node="n2")], ["n1", "n2"]),
        ("a host's port", {"containers": [{"ports": [{"containerPort": 1, "hostPort": 80}]}]},
         [{**DB_ON_1, "spec": {"nodeName": "n1", "containers": [{"ports": [{"hostPort": 80}]}]}}],
         ["n2", "n3"]),
    ],
)  # fmt: skip
def test_what_the_company_allows(
    why: str, spec: Json, pods: list[Json], fitting: list[str]
) -> None:
    board = Board([ONE, TWO, THREE], pods)
    found = [n["metadata"]["name"] for n in board.nodes if not board.obstacle(waiting(**spec), n)]
    assert found == fitting, why


def test_a_refusal_counts_the_reasons() -> None:
    spec = {"affinity": near(term("db"), kind="podAntiAffinity")}
    board = Board(
        [node("n1"), node("n2", unschedulable=True), node("n3", taints=[TAINT])], [DB_ON_1]
    )
    assert board.refusal(waiting(**spec)) == (
        "0/3 nodes are available: 1 node(s) didn't match pod anti-affinity rules,"
        " 1 node(s) had untolerated taint {gpu: yes}, 1 node(s) were unschedulable. preemption:"
        " 0/3 nodes are available: 1 No preemption victims found for incoming pod,"
        " 2 Preemption is not helpful for scheduling."
    )
    assert Board([], []).refusal(waiting()) == "no nodes available to schedule pods"


def chosen(made: Json, *pods: Json, on: list[Json] | None = None) -> str:
    found = Board(on or [ONE, TWO, THREE], pods).choose(made)
    assert found is not None
    return str(found["metadata"]["name"])


def test_wishes_decide_between_nodes_that_fit() -> None:
    assert chosen(waiting(), pod("a", node="n1"), pod("b", node="n2")) == "n3"
    assert chosen(waiting(), on=[node("n1", taints=[{**TAINT, "effect": "PreferNoSchedule"}]),
                                 node("n2")]) == "n2"  # fmt: skip
    weighted = {"weight": 5, "preference": {"matchExpressions": [rule(ZONE, "In", "b")]}}
    liked = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}}
    assert chosen(waiting(affinity=liked), pod("a", node="n3")) == "n3"
    away = {"weight": 5, "podAffinityTerm": term("db", ZONE)}
    alone = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [away]}}
    assert chosen(waiting(affinity=alone), DB_ON_1, pod("a", node="n3")) == "n3"


@given(st.lists(st.sampled_from(["100m", "1", "4"]), max_size=12), st.integers(1, 3))
def test_pods_of_a_spread_end_up_evenly(sizes: list[str], skew: int) -> None:
    placed: list[Json] = []
    for number, cpu in enumerate(sizes):
        made = waiting(f"p{number}", cpu=cpu, topologySpreadConstraints=[spread(skew)])
        where = Board([ONE, TWO, THREE], placed).choose(made)
        if where is not None:
            made["spec"]["nodeName"] = where["metadata"]["name"]
            placed.append(made)
    counts = [sum(p["spec"]["nodeName"] == n for p in placed) for n in ("n1", "n2", "n3")]
    assert max(counts) - min(counts) <= skew
    board = Board([ONE, TWO, THREE], placed)
    assert all(used["cpu"] <= 2000 * OVERCOMMIT for used in board.used.values())


# --- nodes that are lost ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "candidate", "taints"),
    [
        ("well", node(), []),
        ("cordoned", node(unschedulable=True), [("unschedulable", "NoSchedule")]),
        ("not ready", node(ready=False), [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")]),
        ("silent", node(ready="Unknown"),
         [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]),
    ],
)  # fmt: skip
def test_a_node_is_tainted_by_its_condition(why: str, candidate: Json, taints: Any) -> None:
    found = nodes.wanted_taints(candidate, NOW)
    named = [(t["key"].partition("/")[2], t["effect"]) for t in found]
    assert named == taints, why
    again = {**candidate, "spec": {**candidate["spec"], "taints": [TAINT, *found]}}
    assert nodes.wanted_taints(again, NOW)[1:] == found
    well = {**again, "spec": {"taints": again["spec"]["taints"]}, "status": node()["status"]}
    assert nodes.wanted_taints(well, NOW) == [TAINT]


def tolerating(seconds: int | None) -> Json:
    return {"key": "lost", "operator": "Exists", "tolerationSeconds": seconds}


@pytest.mark.parametrize(
    ("tolerations", "wait_s"),
    [([], 0), ([tolerating(300)], 240), ([tolerating(30)], 0), ([tolerating(None)], None),
     ([tolerating(300), tolerating(90)], 30)],
)  # fmt: skip
def test_how_long_a_pod_stays(tolerations: list[Json], wait_s: float | None) -> None:
    taint = {"key": "lost", "effect": "NoExecute", "timeAdded": at(-60)}
    made = pod("a")
    made["spec"]["tolerations"] = tolerations
    assert nodes.leaves_in_s(made, [taint], NOW) == wait_s
    assert nodes.leaves_in_s(made, [TAINT], NOW) is None


# --- DaemonSet ----------------------------------------------------------------------------------


def a_daemon(**spec: Any) -> Json:
    return {"metadata": meta("agent"), "spec": {"template": template(), **spec}, "status": {}}


def daemon(name: str, on: str, revision: str = "2", **more: Any) -> Json:
    labels = {"app": "web", "controller-revision-hash": revision}
    return pod(name, node=on, labels=labels, **more)


@pytest.mark.parametrize(
    ("why", "spec", "pods", "create", "delete"),
    [
        ("one on each", {}, [], ["n1", "n2", "n3"], []),
        ("where it is missing", {}, [daemon("a", "n2")], ["n1", "n3"], []),
        ("never two", {}, [daemon("a", "n1", age_s=9), daemon("b", "n1"), daemon("c", "n2"),
         daemon("d", "n3")], [], ["a"]),
        ("an old template goes, one at a time", {}, [daemon("a", "n1", "1"),
         daemon("b", "n2", "1"), daemon("c", "n3", "1")], [], ["a"]),
        ("while none is missing", {}, [daemon("a", "n1", "1"), daemon("b", "n2", ready=False),
         daemon("c", "n3", "1")], [], []),
        ("a broken old one at once", {}, [daemon("a", "n1", "1", ready=False),
         daemon("b", "n2", "1"), daemon("c", "n3", "1")], [], ["a"]),
        ("two at a time", {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}},
         [daemon("a", "n1", "1"), daemon("b", "n2", "1"), daemon("c", "n3", "1")], [], ["a", "b"]),
        ("OnDelete", {"updateStrategy": {"type": "OnDelete"}}, [daemon("a", "n1", "1"),
         daemon("b", "n2", "1"), daemon("c", "n3", "1")], [], []),
    ],
)  # fmt: skip
def test_the_next_step_of_a_daemon_set(
    why: str, spec: Json, pods: list[Json], create: list[str], delete: list[str]
) -> None:
    cordoned = {**THREE, "spec": {"unschedulable": True}}
    tainted = node("n4", taints=[TAINT])
    step = daemonset.plan(a_daemon(**spec), pods, [ONE, TWO, cordoned, tainted], "2", NOW)
    found = [p["metadata"]["name"] for p in step.delete]
    assert (list(step.create), found) == (create, delete), why


def test_a_daemon_is_made_for_one_node() -> None:
    body = daemonset.pod_body(a_daemon(), "2", "n2")
    body["metadata"] |= {"name": "x", "namespace": "test"}
    board = Board([ONE, {**TWO, "spec": {"unschedulable": True}}, THREE], [])
    found = [n["metadata"]["name"] for n in board.nodes if not board.obstacle(body, n)]
    assert found == ["n2"]
    assert daemonset.node_of(body) == "n2"
    seen = daemonset.new_status(a_daemon(), [daemon("a", "n1")], [ONE, TWO], "2", NOW)
    assert (seen["desiredNumberScheduled"], seen["numberReady"]) == (2, 1)
