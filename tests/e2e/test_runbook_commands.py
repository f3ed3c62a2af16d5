"""`gameday runbook` as a user types it."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.e2e.conftest import Command

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "tests" / "slo" / "runbooks"
REFERENCE = str(RUNBOOKS / "reference.md")


def test_check_lists_findings_as_text_and_fails_on_errors(gameday: Command) -> None:
    done = gameday("runbook", "check", REFERENCE)
    assert done.returncode == 1, done.stderr
    heads = re.findall(
        rf"(?m)^{re.escape(REFERENCE)}:(\d+): (error|warning|note) \[([\w-]+)\]$", done.stdout
    )
    assert ("226", "error", "rate-against-ratio") in heads
    assert [int(line) for line, _, _ in heads] == sorted(int(line) for line, _, _ in heads)
    assert re.search(r"\d+ errors, \d+ warnings, \d+ notes in ", done.stdout)
    assert "Not checked:" in done.stdout


def test_check_as_json_and_sarif_say_the_same(gameday: Command, tmp_path: Path) -> None:
    sarif = tmp_path / "found.sarif"
    manifests = str(ROOT / "service" / "deploy")
    done = gameday(
        "runbook", "check", REFERENCE, "--manifests", manifests, "--json", "--sarif", str(sarif)
    )
    assert done.returncode == 1
    said = json.loads(done.stdout)
    found = [(f["rule"], f["severity"], f["line"]) for f in said["findings"]]
    assert ("unknown-object", "error", 554) in found
    assert all(f["message"] and f["suggestion"] and f["why"] for f in said["findings"])
    assert said["not_checked"] == [
        {"rule": "metric-not-exported", "needs": ["--prometheus"]},
        {"rule": "prometheus-version", "needs": ["--prometheus VERSION"]},
    ]
    log = json.loads(sarif.read_text(encoding="utf-8"))
    (run,) = log["runs"]
    rules = [r["id"] for r in run["tool"]["driver"]["rules"]]
    assert found == [
        (r["ruleId"], r["level"], r["locations"][0]["physicalLocation"]["region"]["startLine"])
        for r in run["results"]
    ]
    assert all(rules[r["ruleIndex"]] == r["ruleId"] for r in run["results"])
    jsonschema.validate(log, SARIF)


SARIF = {
    # The part of the SARIF 2.1.0 schema that code hosts insist on.
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {"driver": {"required": ["name"]}},
                    },
                    "results": {
                        "items": {
                            "required": ["message", "ruleId"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"required": ["text"]},
                            },
                        }
                    },
                },
            }
        },
    },
}


def test_a_sound_runbook_passes(gameday: Command) -> None:
    done = gameday("runbook", "check", str(RUNBOOKS / "sound.md"))
    assert done.returncode == 0, done.stdout
    assert "nothing found" in done.stdout


def test_show_says_what_is_understood_and_what_is_not(gameday: Command) -> None:
    shop = str(RUNBOOKS / "shop.md")
    done = gameday("runbook", "show", shop)
    assert done.returncode == 0
    whole = "Checkout latency (p99): target < 800 ms, critical > 2 s"
    assert f"  {shop}:12  {whole}\n" in done.stdout
    assert "Not understood" in done.stdout
    said = json.loads(gameday("runbook", "show", shop, "--json").stdout)
    assert said["objectives"][0]["title"] == "Checkout latency (p99)"
    assert {u["kind"] for u in said["unread"]} >= {"column", "objective", "row", "html"}
    assert said["procedures"][0]["steps"][1]["source"][1] == 39


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.md",), "nowhere.md: No such file"),
        ((REFERENCE, "--manifests", "nowhere"), "nowhere: not a directory of manifests"),
        ((REFERENCE, "--prometheus", "http://127.0.0.1:9"), "--prometheus: cannot reach"),
        ((REFERENCE, "--sarif", "/nowhere/x.sarif"), "/nowhere/x.sarif: No such file"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    gameday: Command, arguments: tuple[str, ...], said: str
) -> None:
    done = gameday("runbook", "check", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
