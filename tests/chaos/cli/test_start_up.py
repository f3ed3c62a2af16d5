"""The command starts fast: what only some commands need is not loaded for the others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.gameday import FOLDER

GAMEDAY = Path(sys.executable).with_name("gameday")
HEAVY = {
    "gevent",
    "google",
    "httpx",
    "jinja2",
    "kubernetes",
    "locust",
    "markdown_it",
    "matplotlib",
    "neo4j",
    "numpy",
    "pandas",
    "plotly",
    "promql_parser",
    "psutil",
    "pyarrow",
    "requests",
    "ruamel",
    "tree_sitter",
    "urllib3",
}
RUNBOOK = """# Shop

## Procedures

### Rolling Back

1. Roll back:

```bash
kubectl rollout undo deployment/shop -n shop
```

### Restarting

1. Restart:

```bash
kubectl rollout restart deployment/shop -n shop
```
"""


def _loaded(script: str, **environment: str) -> set[str]:
    """The packages that a fresh interpreter has loaded when `script` has run."""
    code = f"import sys\nimport atexit\n{script}"
    told = "atexit.register(lambda: print('\\nLOADED', *sys.modules, file=sys.stderr))"
    done = subprocess.run(
        [sys.executable, "-c", code.replace("import atexit", f"import atexit\n{told}")],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    names = done.stderr.rpartition("LOADED")[2].split()
    assert "chaos.cli" in names, done.stderr
    return {name.partition(".")[0] for name in names}


def _typed(*words: str) -> str:
    return f"sys.argv = {['gameday', *words]}\nfrom chaos.cli import main\nmain()"


@pytest.mark.parametrize(
    "script",
    [
        "import chaos.cli",
        _typed("--version"),
        _typed("--help"),
        _typed("run", "--help"),
        _typed("runbook", "prove", "--help"),
        _typed("load", "--wrong"),
    ],
)
def test_nothing_heavy_is_loaded_before_a_command_is_carried_out(script: str) -> None:
    assert not _loaded(script) & HEAVY


def test_completing_a_command_or_a_plan_loads_nothing_heavy() -> None:
    for words, at in (("gameday ru", "1"), ("gameday run sm", "2")):
        asked = {"_GAMEDAY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": at}
        assert not _loaded(_typed(), **asked) & HEAVY, words


def _completed(*words: str) -> list[str]:
    """What a shell offers for the last of the words."""
    done = subprocess.run(
        [GAMEDAY],
        env=os.environ
        | {
            "_GAMEDAY_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["gameday", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("command", [("run",), ("plan", "export")])
def test_plans_are_completed(command: tuple[str, ...]) -> None:
    assert _completed(*command, "") == sorted(p.stem for p in (FOLDER / "plans").glob("*.yaml"))
    assert _completed(*command, "sm") == ["smoke"]


@pytest.mark.parametrize(
    "command",
    [("load",), ("runbook", "prove", "--load"), ("plan", "import", "--scenario")],
)
def test_scenarios_are_completed(command: tuple[str, ...]) -> None:
    assert _completed(*command, "st") == ["steady"]


def test_procedures_of_the_runbook_that_is_named_are_completed(tmp_path: Path) -> None:
    runbook = tmp_path / "shop.md"
    runbook.write_text(RUNBOOK)
    assert _completed("runbook", "run", "--runbook", str(runbook), "r") == [
        "rolling-back",
        "restarting",
    ]
    assert _completed("runbook", "prove", str(runbook), "--only", "rest") == ["restarting"]


def test_a_runbook_that_is_not_there_completes_nothing(tmp_path: Path) -> None:
    assert _completed("runbook", "run", "--runbook", str(tmp_path / "none.md"), "") == []
