"""The folder of a system: found, read, and refused in one sentence."""

from pathlib import Path

import pytest

from service.gameday import FOLDER
from slo.documents import DocumentError
from slo.system.folder import read_system, specs
from slo.system.place import find_system

SYSTEM = """\
name: shop
target: {namespace: shop, workload: checkout, service: checkout}
prometheus: {service: prometheus, namespace: monitoring}
presets: [kubernetes, go-http]
indicators:
  checkout_success:
    total: checkouts_total
    good: checkouts_total{outcome="paid"}
"""


def write(folder: Path, text: str = SYSTEM) -> Path:
    (folder / "gameday").mkdir(parents=True)
    (folder / "gameday/system.yaml").write_text(text)
    return folder / "gameday"


def test_it_is_found_from_below_and_by_its_own_path(tmp_path: Path) -> None:
    folder = write(tmp_path)
    below = tmp_path / "src/deep"
    below.mkdir(parents=True)
    assert find_system(below) == folder
    assert find_system(tmp_path) == folder
    assert find_system(folder) == folder


def test_own_indicators_stand_over_those_of_presets(tmp_path: Path) -> None:
    own = '  error_rate: {total: a_total, errors: "a_total{failed=\\"yes\\"}"}\n'
    found = specs(read_system(write(tmp_path, SYSTEM + own)).system)
    assert found["error_rate"].total == ("a_total",)
    assert {"cpu_utilization", "response_time", "checkout_success"} <= set(found)


def test_files_of_the_usual_names_are_taken_without_being_named(tmp_path: Path) -> None:
    folder = write(tmp_path)
    assert read_system(folder).runbook is None
    for name in ("runbook.md", "policy.yaml", "locustfile.py"):
        (folder / name).write_text("")
    found = read_system(folder)
    assert found.runbook == folder / "runbook.md"
    assert found.policy == folder / "policy.yaml"
    assert found.locustfile == folder / "locustfile.py"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "go-http",
            "go-htp",
            "line 4: field 'presets[1]': there is no preset 'go-htp'",
        ),
        ("    good:", "    god:", "line 8: unknown field 'indicators.checkout_success.god'"),
        ("    good: checkouts_total", "    good: rate(x", "expected a selector like http_requests"),
        (
            "    total: checkouts_total\n",
            "",
            "'errors' and 'good' need 'total'|measured in one way",
        ),
        ("checkout, service", "checkout, url: ftp://x, service", "line 2: field 'target.url'"),
        (
            "prometheus: {service",
            "prometheus: {url: http://p, service",
            "either 'service' or 'url'",
        ),
        ("name: shop", "name: Shop", "line 1: field 'name'"),
        ("presets:", "runbook: no.md\npresets:", "line 4: field 'runbook': there is no file"),
        ("checkout_success", "Checkout-Success", "line 6: field 'indicators.Checkout-Success"),
    ],
)
def test_a_mistake_is_one_sentence_with_file_line_and_field(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in SYSTEM
    folder = write(tmp_path, SYSTEM.replace(old, new))
    with pytest.raises(DocumentError) as caught:
        read_system(folder)
    told = str(caught.value)
    assert "\n" not in told
    assert told.startswith(f"{folder / 'system.yaml'}, line ")
    assert any(part in told for part in said.split("|")), told


def test_a_folder_without_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="not the folder of a system"):
        read_system(tmp_path)


def test_the_reference_service_is_described_like_any_other() -> None:
    found = read_system(FOLDER)
    assert found.runbook == FOLDER / "runbook.md"
    assert (found.plans / "smoke.yaml").is_file()
