"""Experiments of the Chaos Toolkit, read and written."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from ruamel.yaml import YAML

from chaos.plan import chaos_toolkit
from chaos.plan.model import Plan, read_plan
from service.gameday import FOLDER
from slo.documents import parse_document

PLANS = [p.stem for p in (FOLDER / "plans").glob("*.yaml")]
AROUND = chaos_toolkit.Around(workload="web", url="http://web.example", prometheus="http://p:9090")


def action(func: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    module, _, name = f"chaosk8s.{func}".rpartition(".")
    provider = {"type": "python", "module": module, "func": name, "arguments": arguments}
    return {"type": "action", "name": f"Do {name}", "provider": provider, **more}


def experiment(*method: Any, **more: Any) -> dict[str, Any]:
    return {"version": "1.0.0", "title": "What if?", "description": "d", "method": [*method]} | more


def plan(found: chaos_toolkit.Read) -> Plan:
    return parse_document(json.dumps(found.plan), "x.yaml", Plan)


def test_actions_on_pods_workloads_and_nodes_become_faults() -> None:
    given = {"label_selector": "app=web,tier=front", "ns": "shop"}
    found = chaos_toolkit.read(
        experiment(
            action("pod.actions.terminate_pods", {**given, "qty": 2}, pauses={"after": 15}),
            action("pod.actions.terminate_pods", {**given, "mode": "percentage", "qty": 30}),
            action("statefulset.actions.scale_statefulset", {"name": "db", "replicas": 0})
            | {"name": "Take the database away"},
            action("node.actions.drain_nodes", {"name": "node-1"}),
        ),
        chaos_toolkit.Around(
            workload="web", url="http://w", prometheus="http://p:9090", namespace="shop"
        ),
    )
    assert found.notes == []
    found.plan["experiments"][1]["name"] = "another"
    read = plan(found)
    assert read.target.namespace == "shop"
    assert [e.describe() for e in read.experiments] == [
        "pod-kill (delete, no grace): 2 of app=web,tier=front",
        "pod-kill (delete, no grace): 30 % of app=web,tier=front",
        "scale-to-zero: statefulset/db",
        "node-drain: node-1",
    ]
    assert read.experiments[0].duration.total_seconds() == 15


def test_what_has_no_place_is_named() -> None:
    found = chaos_toolkit.read(
        experiment(
            action("pod.actions.terminate_pods", {"label_selector": "app=${app}"}),
            action("deployment.actions.scale_deployment", {"name": "w", "replicas": 7}),
            {"type": "probe", "name": "look", "provider": {"type": "http", "url": "http://x"}},
            configuration={"app": {"type": "env", "key": "APP", "default": "web"}},
            controls=[{"name": "c"}],
            rollbacks=[{"type": "action", "name": "back"}],
            **{"steady-state-hypothesis": {"title": "s", "probes": [{"name": "up"}]}},
        ),
        AROUND,
    )
    said = " | ".join(found.notes)
    for word in ("scale_deployment", "'look'", "'up'", "'back'", "'controls'"):
        assert word in said
    assert plan(found).experiments[0].describe().endswith("1 of app=web")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "no list 'method'"),
        ({"title": "x"}, "no list 'method'"),
        (experiment(), "no action of it is known"),
        (experiment(action("pod.actions.exec_in_pods", {})), "exec_in_pods has no fault of ours"),
        (
            experiment(action("pod.actions.terminate_pods", {"label_selector": "app in (a, b)"})),
            "more than equalities",
        ),
        (
            experiment(action("pod.actions.terminate_pods", {"label_selector": "app=${none}"})),
            "no value for 'none'",
        ),
    ],
)
def test_what_cannot_be_read_is_said(document: Any, why: str) -> None:
    with pytest.raises(chaos_toolkit.ToolkitError, match=why.replace("(", r"\(")):
        chaos_toolkit.read(document, AROUND)


def test_arguments_that_a_plan_has_no_place_for_are_named() -> None:
    given = {"label_selector": "app=web", "order": "oldest", "grace_period": 30, "qty": 2}
    found = chaos_toolkit.read(experiment(action("pod.actions.terminate_pods", given)), AROUND)
    assert found.notes == [
        "action 'Do terminate_pods': order oldest has no place in a plan",
        "action 'Do terminate_pods': grace_period 30 has no place in a plan",
    ]


@drawn(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["method", "type", "provider", "name", "pauses", "arguments", "title"]
                )
                | st.text(max_size=3),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_is_given_is_read_or_refused_in_a_sentence(document: Any) -> None:
    for whole in (
        document,
        experiment(document),
        experiment(action("pod.actions.x", {}), y=document),
    ):
        with contextlib.suppress(chaos_toolkit.ToolkitError):
            assert chaos_toolkit.read(whole, AROUND).plan["experiments"]


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_comes_back_as_it_went(name: str) -> None:
    path = FOLDER / f"plans/{name}.yaml"
    document = YAML(typ="safe", pure=True).load(path)
    written, notes = chaos_toolkit.write(read_plan(path), document)
    assert plan(chaos_toolkit.read(json.loads(json.dumps(written)), AROUND)) == read_plan(path)
    kinds = [s.fault.kind for e in read_plan(path).experiments for s in e.timetable()]
    assert len(written["method"]) + sum("has no action" in n for n in notes) == len(kinds)


def test_what_is_written_is_read_as_the_same_faults() -> None:
    written, _ = chaos_toolkit.write(read_plan(FOLDER / "plans/smoke.yaml"), {})
    del written["extensions"]
    found = chaos_toolkit.read(written, AROUND)
    assert (
        plan(found).experiments[0].describe() == "pod-kill (delete, no grace): 1 of app=bizra-api"
    )
