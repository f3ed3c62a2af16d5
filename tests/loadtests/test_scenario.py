"""Scenarios: what they can say, and what their author reads when one is wrong."""

from math import inf
from pathlib import Path

import pytest
import trustme

from loadtests.scenario import Scenario, Traffic, load_scenario
from slo.documents import DocumentError

GOOD = """\
name: tiny
requests: [{path: /}]
stages:
  - {from_rate: 1, to_rate: 2, duration: 3s}
  - {rate: 5}
request_timeout: 2s
max_in_flight: 10
"""


TINY = GOOD.replace("requests: [{path: /}]\n", "")


def test_a_scenario_survives_its_way_to_the_worker(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(GOOD.replace("{path: /}", "{path: /, method: POST, json: {a: [1, x]}}"))
    scenario = load_scenario(str(path))
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario
    assert scenario.requests[0].json_body == {"a": [1, "x"]}
    assert scenario.length_s == inf


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("- {rate: 5}", "- {rate: 5, to_rate: 3}", "line 5: field 'stages[1]': give either"),
        ("- {rate: 5}", "- {to_rate: 3}", "line 5: field 'stages[1]': 'from_rate' and 'to_rate'"),
        ("- {rate: 5}", "- {from_rate: 3, to_rate: 4}", "line 5: field 'stages[1]': a ramp"),
        (", duration: 3s", "", "line 4: field 'stages[0]': a ramp needs a 'duration'"),
        ("max_in_flight", "max_inflight", "line 7: unknown field 'max_inflight'"),
        ("name: tiny", "name: tiny\nmix: {a: 0}", "not all weights may be 0"),
        ("name: tiny", "name: tiny\nmix: {a: -1}", "line 2: field 'mix.a': "),
        ("name: tiny", "name: tiny\nlocustfile: a.py", "give either 'locustfile' or 'requests'"),
        ("requests: [{path: /}]", "locustfile: a.py", "line 2: field 'locustfile': there is no"),
        ("{path: /}", "{path: x}", "line 2: field 'requests[0].path': "),
        ("{path: /}", "{path: //elsewhere}", "line 2: field 'requests[0].path': "),
        ("{path: /}", "{path: /, method: get}", "line 2: field 'requests[0].method': "),
        ("{path: /}", "{path: /, body: a, json: 1}", "give either 'body' or 'json'"),
        ("{path: /}", "{path: /, json: 2026-11-28}", "cannot be written as JSON"),
        ("{path: /}", "{path: '/{id}'}", "no column 'id'; the columns are: none, as there is no"),
        ("{path: /}", "{path: /, values: no.csv}", "field 'requests[0].values': "),
        (
            "{path: /}",
            "{path: /, headers: {Authorization: 'Bearer ${NO_SUCH_TOKEN}'}}",
            (
                "line 2: field 'requests[0].headers.Authorization': the environment variable"
                " NO_SUCH_TOKEN is not set"
            ),
        ),
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


def test_a_scenario_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="No such file"):
        load_scenario("nonsense")
    (tmp_path / "tiny.yaml").write_text(GOOD)
    with pytest.raises(DocumentError, match="no scenario 'nonsense'; the names are: tiny"):
        load_scenario("nonsense", folder=tmp_path)
    assert load_scenario("tiny", folder=tmp_path).name == "tiny"


def test_who_names_nothing_to_send_gets_the_systems_default(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(GOOD.replace("requests: [{path: /}]\n", ""))
    with pytest.raises(DocumentError, match="does not say what is sent"):
        load_scenario(str(path))
    default = Traffic(locustfile=tmp_path / "locustfile.py")
    assert load_scenario(str(path), default=default).locustfile == tmp_path / "locustfile.py"


def test_paths_are_relative_to_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "load"
    folder.mkdir()
    (folder / "users.py").write_text("")
    (folder / "tiny.yaml").write_text(GOOD.replace("requests: [{path: /}]", "locustfile: users.py"))
    monkeypatch.chdir(tmp_path)
    assert load_scenario("load/tiny.yaml").locustfile == folder / "users.py"


def test_certificates_are_said_once_for_a_system_or_in_the_scenario(tmp_path: Path) -> None:
    """What the scenario says comes before what the system says."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "locustfile.py").write_text("")
    usual = Traffic(locustfile=tmp_path / "locustfile.py", ca_file=tmp_path / "ca.pem")
    silent = TINY + "locustfile: locustfile.py\n"
    for text, verify, ca_file in [
        (silent, None, tmp_path / "ca.pem"),
        (silent + "verify: false\n", False, None),
        (silent + "verify: true\n", True, None),
        (silent + "ca_file: ca.pem\n", None, tmp_path / "ca.pem"),
    ]:
        path = tmp_path / "tiny.yaml"
        path.write_text(text)
        read = load_scenario(str(path), default=usual)
        assert (read.verify, read.ca_file) == (verify, ca_file)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("ca_file: nothing.pem\n", "line 8: .*nothing.pem is no file of certificates"),
        ("ca_file: locustfile.py\n", "locustfile.py is no file of certificates"),
        ("verify: false\nca_file: ca.pem\n", "'ca_file' has no use with 'verify: false'"),
    ],
)
def test_a_file_of_authorities_that_is_none_is_said(tmp_path: Path, more: str, why: str) -> None:
    (tmp_path / "locustfile.py").write_text("x = 1\n")
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY + "locustfile: locustfile.py\n" + more)
    with pytest.raises(DocumentError, match=why):
        load_scenario(str(path))
