"""Drills of a system's own: found in its folder, asked first, and refused in one sentence."""

import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from chaos.prove.drills import GENERAL, Drill, Rollback, drill_for
from chaos.prove.drills.files import Recovery, UnknownPart
from chaos.prove.drills.own import blame, check_choice, is_own, own_drills
from service.gameday import FOLDER
from slo.documents import DocumentError
from slo.runbook.model import Procedure
from slo.runbook.reader import survey
from slo.system.folder import read_system
from slo.system.parts import VolumePart
from tests.e2e.conftest import GAMEDAY

OWN = """\
from chaos.prove.drills import Drill

from ._words import TOPIC


class Slow(Drill):
    topic = TOPIC
    condition = "slow"

    def sights(self, stage):
        raise KeyError("x")


class _Shared(Drill):
    pass
"""


def procedure(title: str, command: str = "kubectl rollout undo deployment/shop") -> Procedure:
    text = f"# Shop\n\n## {title}\n\n```bash\n{command}\n```\n"
    return survey(text, "shop.md").procedures[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "drills"
    found.mkdir()
    (found / "slow.py").write_text(OWN)
    (found / "_words.py").write_text('TOPIC = "rollback"\n')
    return found


def test_a_system_without_a_folder_of_drills_has_none_of_its_own(tmp_path: Path) -> None:
    assert own_drills(tmp_path / "drills") == ()


def test_own_drills_are_asked_before_the_general_ones(folder: Path) -> None:
    own = own_drills(folder)
    assert [kind.__name__ for kind in own] == ["Slow"]
    chosen = drill_for(procedure("Rolling back"), own)
    assert chosen is not None
    assert is_own(chosen)
    general = drill_for(procedure("Rolling back"))
    assert isinstance(general, Rollback)
    assert not is_own(general)


def test_what_goes_wrong_in_an_own_drill_is_blamed_on_its_file_and_line(folder: Path) -> None:
    (kind,) = own_drills(folder)
    with pytest.raises(KeyError) as error:
        kind().sights(None)  # type: ignore[arg-type]
    assert blame(error.value) == f"{folder / 'slow.py'}, line 11: KeyError: 'x'"


def test_a_drill_that_cannot_say_what_it_is_for_is_known_before_anything_runs(folder: Path) -> None:
    wrong = OWN.replace("    topic = TOPIC\n", "").replace("sights(self, stage)", "fits(self, p)")
    (folder / "slow.py").write_text(f"{wrong}\nSlow.sights = print\n")
    own = own_drills(folder)
    with pytest.raises(DocumentError, match=r"slow\.py, line 10: KeyError: 'x'"):
        check_choice([procedure("Rolling back")], own, ())


def test_a_changed_file_is_read_again(folder: Path) -> None:
    own_drills(folder)
    (folder / "_words.py").write_text('TOPIC = "another_one"\n')
    (kind,) = own_drills(folder)
    assert kind.topic == "another_one"


def test_its_modules_have_names_that_nobody_else_has(folder: Path) -> None:
    (folder / "json.py").write_text("from chaos.prove.drills import CrashLoop as Base\n" + CRASH)
    before = sys.modules["json"]
    own_drills(folder)
    assert sys.modules["json"] is before


CRASH = """

class Crash(Base):
    condition = "crash"
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def x(:\n", "line 1: cannot be loaded: invalid syntax"),
        ("import os\nimport nothing_of_this_name\n", "line 2: cannot be loaded: ModuleNotFound"),
        ("x = 1\n\n\ny = {}['a']\n", "line 4: cannot be loaded: KeyError: 'a'"),
        ("raise SystemExit(3)\n", "line 1: cannot be loaded: SystemExit: 3"),
        ("x = 1\n", "line 1: defines no drill"),
        (
            "from chaos.prove.drills import Drill\n\n\nclass A(Drill):\n    topic = 'a'\n",
            "line 4: class A has no method 'sights'",
        ),
        (
            "from chaos.prove.drills import Drill\nclass A(Drill):\n    def sights(self): pass\n",
            "line 2: class A has neither a 'topic' nor a method 'fits'",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(DocumentError) as error:
        own_drills(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'bad.py'}, {said}")
    assert "\n" not in str(error.value)


def test_the_command_says_so_and_ends_with_code_2(tmp_path: Path) -> None:
    """In a repository that has packages of our names."""
    folder = tmp_path / "gameday"
    (folder / "drills").mkdir(parents=True)
    (tmp_path / "chaos").mkdir()
    (tmp_path / "chaos/__init__.py").write_text("raise ImportError('not this one')\n")
    (folder / "system.yaml").write_text(
        "name: shop\ntarget: {namespace: shop, workload: shop, service: shop}\n"
        "load: {scenario: steady}\n"
    )
    (folder / "scenarios").mkdir()
    (folder / "scenarios/steady.yaml").write_text(
        "name: steady\nrequests: [{path: /}]\nstages: [{rate: 1}]\n"
        "request_timeout: 5s\nmax_in_flight: 5\n"
    )
    (folder / "runbook.md").write_text(BOOK)
    (folder / "drills/bad.py").write_text("import os\n\nraise ValueError('no')\n")
    done = subprocess.run(
        [GAMEDAY, "runbook", "prove"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "gameday/drills/bad.py, line 3: cannot be loaded: ValueError: no" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


BOOK = """\
# Shop

| Metric | Target | Critical |
|--------|--------|----------|
| Response Time (p95) | < 500 ms | > 2 s |
| Error Rate | < 2 % | > 20 % |

## Rolling back

```bash
kubectl rollout undo deployment/shop -n shop
```
"""


def test_the_reference_systems_drills_are_found_as_any_others() -> None:
    own = own_drills(FOLDER.joinpath("drills"))
    assert {"FailingRelease", "VectorRecovery", "BlueGreen"} <= {kind.__name__ for kind in own}
    assert not {kind.__module__ for kind in own} & {kind.__module__ for kind in GENERAL}


def test_a_drill_without_a_topic_is_for_no_procedure_by_itself() -> None:
    class Anything(Drill):
        words: ClassVar[tuple[str, ...]] = ()

    assert not Anything().fits(procedure("Saying hello", "kubectl label pod x a=b"))


def test_recovery_of_a_part_that_is_named_has_a_drill_and_of_another_one_says_what_to_add() -> None:
    wanted = procedure("Recovery of the orders", "kubectl delete pod x")
    parts = (VolumePart(name="the orders", kind="volume"),)
    assert isinstance(drill_for(wanted, (), parts), Recovery)
    assert isinstance(drill_for(wanted), UnknownPart)


def test_the_example_in_the_documents_is_a_drill_and_its_yaml_is_read(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs/system.md").read_text()
    section = text.partition("## Parts, data and drills")[2]
    code = re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)
    (python,) = (block for language, block in code if language == "python")
    (tmp_path / "index.py").write_text(python)
    (kind,) = own_drills(tmp_path)
    assert kind().fits(procedure("Recovery of the search index"))
    yaml = "".join(b for language, b in code if language == "yaml" and "$schema" not in b)
    system = f"name: shop\ntarget: {{namespace: shop, workload: shop}}\n{yaml}"
    (tmp_path / "system.yaml").write_text(system)
    read = read_system(tmp_path).system
    assert [p.kind for p in read.parts] == ["neo4j", "volume", "secret", "ingress"]
    assert read.data[0].part == "the orders"
