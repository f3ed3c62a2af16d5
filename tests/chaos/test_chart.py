"""The chart says what `gameday rbac` says, and its values are checked. Helm: tests/strangers."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from chaos.cli.app import version
from chaos.run import rbac

CHART = Path("chaos/chart")


def read(name: str) -> Any:
    return YAML(typ="safe").load((CHART / name).read_text())


def schema() -> Any:
    return json.loads((CHART / "values.schema.json").read_text())


def test_its_rules_are_those_of_the_table() -> None:
    assert read("files/rules.yaml") == {
        "runner": rbac.rules(rbac.OF_RUNNER),
        "watchdog": rbac.rules(rbac.OF_WATCHDOG),
        "nodes": rbac.rules(rbac.OF_NODES),
    }


def test_its_default_image_is_the_one_of_this_version() -> None:
    assert read("Chart.yaml")["appVersion"] == version()
    assert read("values.yaml")["image"]["tag"] == ""


def test_its_values_satisfy_the_schema() -> None:
    jsonschema.validate(read("values.yaml"), schema())


@pytest.mark.parametrize(
    "wrong",
    [
        {"imgae": {"repository": "x"}},
        {"image": {"repository": "x", "digest": "latest"}},
        {"custom": ["rollouts"]},
        {"schedules": [{"name": "weekly", "schedule": "0 10 * * 2"}]},
        {"watchdog": {"permanent": "yes"}},
    ],
)
def test_values_that_nothing_would_heed_are_refused(wrong: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema())


def test_the_namespace_is_not_among_its_objects() -> None:
    """It has an owner already; two who apply it take each other's labels away."""
    for template in (CHART / "templates").glob("*.yaml"):
        assert "kind: Namespace" not in template.read_text()
