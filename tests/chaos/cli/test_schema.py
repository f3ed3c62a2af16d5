"""`gameday schema`: what it prints accepts the files that are accepted, and refuses a mistake."""

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from service.gameday import FOLDER
from slo.policy import BUNDLED_POLICY
from tests.e2e.conftest import GAMEDAY


def printed(kind: str) -> Any:
    done = subprocess.run([GAMEDAY, "schema", kind], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("kind", "file", "mistake"),
    [
        ("system", FOLDER / "system.yaml", {"presets": 3}),
        ("plan", FOLDER / "plans/bad-day.yaml", {"experiments": []}),
        ("policy", BUNDLED_POLICY, {"decision": {"confidence": []}}),
    ],
)
def test_the_schema_accepts_what_gameday_reads(
    kind: str, file: Path, mistake: dict[str, Any]
) -> None:
    schema = printed(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert [e.message for e in validator.iter_errors(read(file))] == []
    assert list(validator.iter_errors(read(file) | mistake))
    assert list(validator.iter_errors(read(file) | {"unknown": 1}))
