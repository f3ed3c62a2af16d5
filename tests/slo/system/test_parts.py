"""Parts and data of a system: read, matched with a runbook's words, and refused in one sentence."""

from pathlib import Path

import pytest

from service.gameday import FOLDER
from slo.documents import DocumentError
from slo.system.data import filled, found_at, with_variables
from slo.system.folder import read_system
from slo.system.parts import Neo4jPart

SYSTEM = """\
name: shop
target: {namespace: shop, workload: checkout, container: web}
parts:
  - name: the graph
    kind: neo4j
    titles: [Neo4j]
  - {name: orders, kind: volume, claim: orders-data, backup: orders.tar.gz}
data:
  - name: orders
    part: orders
    write: {path: /orders, body: {article: "a-{number}"}, id: order.id}
    read: {path: "/orders/{id}"}
"""


def read(tmp_path: Path, text: str = SYSTEM) -> Path:
    (tmp_path / "system.yaml").write_text(text)
    read_system(tmp_path)
    return tmp_path


def test_what_is_left_out_has_a_default_or_is_left_to_a_look(tmp_path: Path) -> None:
    system = read_system(read(tmp_path)).system
    graph, orders = system.parts
    assert isinstance(graph, Neo4jPart)
    assert (graph.workload, graph.secret, graph.port, graph.user) == (None, None, 7687, "neo4j")
    assert (orders.name, system.data[0].endpoint) == ("orders", "/orders")
    assert system.target.container == "web"


@pytest.mark.parametrize("text", ["Restore THE GRAPH", "Neo4j recovery", "graph is slow"])
def test_a_part_is_known_by_its_name_and_titles(text: str) -> None:
    part = Neo4jPart(name="the graph", kind="neo4j", titles=("Neo4j",))
    assert part.named_in(text)
    assert not part.named_in("Redis is slow")
    assert not part.named_in("Paragraphs are slow")


def test_the_reference_system_names_its_parts_as_any_other_does() -> None:
    system = read_system(FOLDER).system
    kinds = {p.kind for p in system.parts}
    assert kinds == {"neo4j", "redis", "certificate", "ingress"}
    assert [c.part for c in system.data] == ["Neo4j"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: neo4j", "kind: mysql", "line 5: field 'parts[0].kind' must be one of 'neo4j'"),
        ("    kind: neo4j\n", "", "line 4: field 'parts[0].kind' is missing"),
        ("titles:", "host:", "line 6: unknown field 'parts[0].host'"),
        ("name: orders, kind", "name: The Graph, kind", "line 7: field 'parts[1].name': there is"),
        ("orders.tar.gz", "../orders", "line 7: field 'parts[1].backup'"),
        ("part: orders", "part: order", "line 10: field 'data[0].part': there is no part 'order'"),
        ("/orders/{id}", "/orders/{nr}", "{nr} in '/orders/{nr}' is none of {attempt}, {id}"),
        (
            "    read:",
            "    count: x {ids}\n    read:",
            "line 12: field 'data[0].count': only a part",
        ),
        (
            '"a-{number}"',
            "2026-01-01",
            "line 11: field 'data[0].write.body': cannot be sent as JSON",
        ),
        ("id: order.id}", "id: ''}", "line 11: field 'data[0].write.id'"),
    ],
)
def test_a_mistake_is_one_sentence_with_file_line_and_field(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in SYSTEM
    with pytest.raises(DocumentError) as error:
        read(tmp_path, SYSTEM.replace(old, new))
    assert said in str(error.value)
    assert str(tmp_path / "system.yaml") in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("answer", "where", "wanted"),
    [
        ({"id": "a"}, "id", "a"),
        ({"order": {"id": 7}}, "order.id", "7"),
        ({"items": [{"id": "x"}]}, "items.0.id", "x"),
        ({"items": []}, "items.0.id", None),
        ({"id": None}, "id", None),
        ({"id": True}, "id", None),
        (["x"], "id", None),
        ("x", "id", None),
    ],
)
def test_the_id_is_found_in_an_answer_of_any_shape(
    answer: object, where: str, wanted: str | None
) -> None:
    assert found_at(answer, where) == wanted


def test_a_header_gets_its_token_from_the_environment() -> None:
    headers = {"Authorization": "Bearer ${TOKEN}", "Accept": "text/{number}"}
    found = with_variables(headers, {"TOKEN": "t0k3n"})
    assert found == {"Authorization": "Bearer t0k3n", "Accept": "text/{number}"}
    with pytest.raises(KeyError, match="TOKEN"):
        with_variables(headers, {})


def test_placeholders_are_filled_wherever_they_stand() -> None:
    body = {"text": "{unique}: {number}", "tags": ["{number}", 3], "other": "{unknown}"}
    assert filled(body, {"unique": "u", "number": "0"}) == {
        "text": "u: 0",
        "tags": ["0", 3],
        "other": "{unknown}",
    }
