"""Every fault has a page whose examples are valid plans, and says no to what makes no sense."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML

from chaos.faults import FAULTS, AnyFault

PAGES = Path(__file__).parents[3] / "docs" / "faults"
FAULT: TypeAdapter[AnyFault] = TypeAdapter(AnyFault)


def examples(page: Path) -> list[Any]:
    """The faults in the YAML blocks of a page."""
    found = []
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL):
        for document in YAML(typ="safe", pure=True).load_all(block):
            if "fault" in document:
                found.append(document["fault"])
            found += [e["fault"] for e in document.get("experiments", ())]
    return found


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_a_page_has_an_example_that_is_valid(kind: str) -> None:
    found = examples(PAGES / f"{kind}.md")
    assert found
    for example in found:
        assert example["kind"] == kind
        assert FAULT.validate_python(example).describe().startswith(kind)


def test_the_pages_are_those_of_the_registry() -> None:
    assert {p.stem for p in PAGES.glob("*.md")} - {"README"} == set(FAULTS)
    listed = re.findall(r"^\| \[([\w-]+)\]", (PAGES / "README.md").read_text(), re.MULTILINE)
    assert set(listed) == set(FAULTS)


WEB = {"labels": {"app": "web"}, "count": 1}
WITNESS = {"kind": "tcp", "from": {"app": "web"}, "to": "cache:6379"}


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"kind": "oom", "how": "limit", "select": WEB}, "takes 'workload' and 'limit'"),
        ({"kind": "oom", "select": WEB, "limit": "1Mi"}, "takes 'select'"),
        ({"kind": "control-plane-hiccup", "answers": {}}, "at least 1 item"),
        ({"kind": "control-plane-hiccup", "answers": {429: 30, 500: 30}}, "at most 50 % together"),
        ({"kind": "control-plane-hiccup", "answers": {"timeout": 11}}, "10 % of time-outs"),
        ({"kind": "control-plane-hiccup", "answers": {404: 1}}, "'409', '429', '500' or 'timeout'"),
        ({"kind": "node-drain"}, "either 'node' or 'of'"),
        ({"kind": "node-drain", "node": "n", "of": {"a": "b"}}, "either 'node' or 'of'"),
        ({"kind": "network-degrade", "service": "s", "witnesses": [WITNESS]}, "what to degrade"),
        ({"kind": "network-cut", "from": {"a": "b"}, "to": {"c": "d"}, "witnesses": []}, "least 1"),
        ({"kind": "memory-pressure", "select": WEB, "fill": 100}, "less than 100"),
        (
            {
                "kind": "set-env",
                "workload": {"name": "w"},
                "env": {"A": "b"},
                "witnesses": [{"kind": "answer", "path": "/"}],
            },
            "say what to look for",
        ),
        (
            {
                "kind": "network-chaos",
                "action": "delay",
                "from": {"a": "b"},
                "to": {"c": "d"},
                "witnesses": [WITNESS],
            },
            "'latency' goes with",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(fault: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(why)):
        FAULT.validate_python(fault)
