"""kubectl apply --server-side: fields have managers, who may not take them from each other."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cluster.apiserver.server_side_apply import apply
from tests.cluster.apiserver_fixture import AnyApiServer, any_apiserver
from tests.cluster.test_api_behaviour import deployment


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyApiServer]:
    with any_apiserver(tmp_path_factory.mktemp("ssa") / "server") as running:
        yield running


def web(name: str, **env: str) -> dict[str, Any]:
    body = deployment(name)
    body["spec"]["replicas"] = 0
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": k, "value": v} for k, v in env.items()]
    return body


def applied(server: AnyApiServer, body: Any, *more: str, check: bool = True) -> str:
    arguments = ("apply", "--server-side", "-f", "-", *more)
    return server.kubectl(*arguments, stdin=json.dumps(body), check=check)


def env_of(server: AnyApiServer, name: str) -> dict[str, str]:
    found = json.loads(server.kubectl("get", "deployment", name, "-o", "json"))
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return {e["name"]: e["value"] for e in container.get("env", [])}


@pytest.mark.cluster
def test_what_is_left_out_the_next_time_is_removed(server: AnyApiServer) -> None:
    assert "serverside-applied" in applied(server, web("first", A="1", B="2"))
    server.kubectl("set", "env", "deployment/first", "MINE=3")
    applied(server, web("first", B="2"))
    assert env_of(server, "first") == {"B": "2", "MINE": "3"}


@pytest.mark.cluster
def test_to_change_what_another_applied_is_a_conflict_unless_forced(server: AnyApiServer) -> None:
    applied(server, web("shared", A="1"))
    mine = web("shared", A="2")
    said = applied(server, mine, "--field-manager=me", check=False)
    where = '.spec.template.spec.containers[name="c"].env[name="A"].value'
    assert f'Apply failed with 1 conflict: conflict with "kubectl": {where}' in said
    assert env_of(server, "shared") == {"A": "1"}
    applied(server, mine, "--field-manager=me", "--force-conflicts")
    assert env_of(server, "shared") == {"A": "2"}
    assert '"me"' in applied(server, web("shared", A="1"), check=False)


@pytest.mark.cluster
def test_what_two_applied_stays_until_both_leave_it_out(server: AnyApiServer) -> None:
    both = web("both", A="1")
    for manager in ("one", "two"):
        applied(server, both, f"--field-manager={manager}")
    applied(server, web("both"), "--field-manager=one")
    assert env_of(server, "both") == {"A": "1"}
    applied(server, web("both"), "--field-manager=two")
    assert env_of(server, "both") == {}


VALUES = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2), max_size=4)


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), VALUES), min_size=1, max_size=6))
def test_the_object_has_what_its_managers_last_applied(steps: list[tuple[str, Any]]) -> None:
    live: dict[str, Any] = {}
    last: dict[str, dict[str, int]] = {}
    for manager, data in steps:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "n"}, "data": data}
        unchanged = deepcopy(body)
        live = apply(live, body, manager, "now", force=True, custom=False)
        assert body == unchanged
        last = {
            m: {k: v for k, v in held.items() if k not in data or data[k] == v}
            for m, held in last.items()
        }
        last[manager] = data
    union = {k: v for held in last.values() for k, v in held.items()}
    assert (live.get("data") or {}) == union
