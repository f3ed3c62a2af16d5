"""What a run in the cluster takes along: its files, each where the others look for it."""

import io
import tarfile
from pathlib import Path

import pytest

from chaos.cli.in_cluster import Bundle
from chaos.cli.run_checks import Given, read_given
from chaos.cli.system import system_folder

SHOP = Path("examples/01-one-pod/gameday")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A team's: the system's folder deep in it, and the runbook beside, which system.yaml names."""
    home = tmp_path / "repository/services/shop/gameday"
    for file in ("plans/kill.yaml", "scenarios/everyday.yaml", "system.yaml"):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_text((SHOP / file).read_text())
    (home / "system.yaml").write_text(
        (home / "system.yaml").read_text() + "runbook: ../../../docs/runbook.md\n"
    )
    book = tmp_path / "repository/docs/runbook.md"
    book.parent.mkdir()
    book.write_text((SHOP / "runbook.md").read_text())
    for needless in (".env", "__pycache__/x.pyc", "runs/old/samples.parquet"):
        (home / needless).parent.mkdir(parents=True, exist_ok=True)
        (home / needless).write_text("secret")
    return tmp_path / "repository"


def given(home: Path, policy: Path | None = None) -> Given:
    return read_given("kill", system_folder(home, embedded=False), None, policy)


def unpacked(bundle: Bundle, where: Path) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(bundle.packed())) as tar:
        tar.extractall(where, filter="data")
        return sorted(tar.getnames())


def test_it_has_the_files_of_the_run_and_no_others(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    bundle = Bundle(given(repository / "services/shop/gameday"), None)
    assert unpacked(bundle, tmp_path / "pod") == [
        ".",
        "docs/runbook.md",
        "services/shop/gameday/plans/kill.yaml",
        "services/shop/gameday/scenarios/everyday.yaml",
        "services/shop/gameday/system.yaml",
    ]


def test_in_there_the_command_reads_what_was_given_here(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = repository / "strict.yaml"
    policy.write_text(Path("slo/policy.yaml").read_text())
    monkeypatch.chdir(repository / "services")
    here = given(Path("shop/gameday"), policy)
    bundle = Bundle(here, None)
    unpacked(bundle, tmp_path / "pod")
    assert bundle.directory == "services"
    monkeypatch.chdir(tmp_path / "pod/services")
    run, plan, *options = bundle.arguments()
    told = dict(zip(options[::2], options[1::2], strict=True))
    assert (run, told["--runs"]) == ("run", "/runs")
    there = read_given(
        plan,
        system_folder(Path(told["--system"]), embedded=False),
        Path(told["--runbook"]),
        Path(told["--policy"]),
    )
    assert there.plan == here.plan
    assert [o.name for o in there.promises.objectives] == [o.name for o in here.promises.objectives]
    assert there.scenario is not None


def test_the_same_files_make_the_same_bundle(repository: Path) -> None:
    home = repository / "services/shop/gameday"
    first = Bundle(given(home), None).packed()
    (home / "system.yaml").touch()
    assert first[8:] == Bundle(given(home), None).packed()[8:]  # after gzip's own time
