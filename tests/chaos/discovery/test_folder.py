"""The locustfile that is written is Python, whatever the description of the requests says."""

import ast
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chaos.discovery.call import Call
from chaos.discovery.folder import Findings, files
from chaos.discovery.workload import FoundWorkload
from slo.system.folder import read_system
from slo.system.model import Target

WORKLOAD = FoundWorkload(
    target=Target(namespace="shop", workload="9-shop", service="shop"),
    replicas=2,
    labels={"app": "shop"},
    guesses=(),
)


def tree(*calls: Call, left_out: tuple[str, ...] = ()) -> ast.Module:
    found = Findings(
        workload=WORKLOAD,
        access=None,
        metrics=None,
        calls=calls,
        left_out=left_out,
        writes=(),
        times=(),
        runbook=None,
        locustfile=None,
    )
    return ast.parse(files(found)["locustfile.py"])


def test_parts_that_were_seen_stand_in_the_file_that_is_read_again(tmp_path: Path) -> None:
    parts = (
        {"name": "Neo4j", "kind": "neo4j", "workload": "db-1", "workload_kind": "StatefulSet"},
        {"name": "the Ingress", "kind": "ingress", "ingress": "no"},
        {"name": "Redis on", "kind": "redis", "workload": "8"},
    )
    found = Findings(
        workload=WORKLOAD,
        access=None,
        metrics=None,
        calls=(),
        left_out=(),
        writes=(),
        times=(),
        runbook=None,
        locustfile=None,
        parts=parts,
    )
    text = files(found)["system.yaml"].replace("name: 9-shop", "name: shop")
    (tmp_path / "system.yaml").write_text(text)
    read = read_system(tmp_path).system.parts
    assert [p.model_dump(exclude_unset=True) for p in read] == list(parts)


def kinds(module: ast.Module) -> list[type[ast.stmt]]:
    return [type(node) for node in module.body]


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_of_a_description_becomes_code(path: str, why: str) -> None:
    plain = tree(Call(method="GET", path="/a/{id}", example="/a/1", ids_from="/a"))
    call = Call(method="GET", path=f"/{path}/{{id}}", example=f"/{path}/1", ids_from=f"/{path}")
    found = tree(call, left_out=(why,))
    assert kinds(found) == kinds(plain)
    (users,) = (n for n in found.body if isinstance(n, ast.ClassDef))
    assert [type(n) for n in users.body] == [ast.FunctionDef]


def test_requests_whose_names_are_alike_all_stay() -> None:
    calls = [Call(method="GET", path=p, example=p) for p in ("/a-b", "/a_b", "/a/b")]
    (users,) = (n for n in tree(*calls).body if isinstance(n, ast.ClassDef))
    names = [n.name for n in users.body if isinstance(n, ast.FunctionDef)]
    assert names == ["get_a_b", "get_a_b__2", "get_a_b__3"]
