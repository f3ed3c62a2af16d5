"""Scenarios: the bundled ones, and what their author reads when one is wrong."""

from math import inf
from pathlib import Path

import pytest

from loadtests.scenario import Scenario, bundled, load_scenario
from slo.documents import DocumentError

GOOD = """\
name: tiny
mix: {score: 1}
stages:
  - {from_rate: 1, to_rate: 2, duration: 3s}
  - {rate: 5}
request_timeout: 2s
max_in_flight: 10
"""


@pytest.mark.parametrize("name", bundled())
def test_every_bundled_scenario_is_valid_and_called_like_its_file(name: str) -> None:
    assert load_scenario(name).name == name


def test_the_issue_s_three_are_there() -> None:
    assert {"smoke", "steady", "spike"} <= set(bundled())


def test_a_scenario_survives_its_way_to_the_worker(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(GOOD)
    scenario = load_scenario(str(path))
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario
    assert scenario.length_s == inf


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("mix: {score: 1}", "mix: {scoer: 1}", "line 2: field 'mix"),
        ("mix: {score: 1}", "mix: {score: 0}", "not all of them 0"),
        ("- {rate: 5}", "- {rate: 5, to_rate: 3}", "line 5: field 'stages[1]': give either"),
        ("- {rate: 5}", "- {to_rate: 3}", "line 5: field 'stages[1]': 'from_rate' and 'to_rate'"),
        ("- {rate: 5}", "- {from_rate: 3, to_rate: 4}", "line 5: field 'stages[1]': a ramp"),
        (", duration: 3s", "", "line 4: field 'stages[0]': a ramp needs a 'duration'"),
        ("max_in_flight", "max_inflight", "line 7: unknown field 'max_inflight'"),
    ],
)
def test_a_mistake_names_file_line_and_field(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(DocumentError) as caught:
        load_scenario(str(path))
    assert str(caught.value).startswith(f"{path}, line ")
    assert sentence in str(caught.value)


def test_a_scenario_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(DocumentError, match="No such file"):
        load_scenario("nonsense")
