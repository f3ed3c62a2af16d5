"""A locustfile that cannot be used is said in one sentence; packages of its own are its own."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtests.runner import LoadError, LoadRunner
from tests.loadtests.service import run, scenario, service, written


def test_packages_that_are_called_like_ours_are_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its folder, on PYTHONPATH, in the working directory; a namespace package as well."""
    for name in ("slo", "loadtests", "service", "common"):
        written(tmp_path / name, f"ME = 'their {name}'", "__init__.py")
    written(tmp_path / "loadtests" / "helpers", "ME = 'helper'", "here.py")
    written(tmp_path / "chaos", "ME = 'no __init__'", "monkey.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    text = """
    import slo, loadtests, service, common
    from chaos import monkey
    from loadtests.helpers import here
    from locust import *
    class Shopper(FastHttpUser):
        @task
        def names(self):
            for module in (slo, loadtests, service, common, monkey, here):
                self.client.get("/" + module.ME, name=module.ME)
    """
    with service() as there:
        _, found, _ = run(tmp_path, text, there)
    names = ["their slo", "their loadtests", "their service", "their common", "no __init__"]
    assert found == {(f"GET {name}", "none"): 50 for name in [*names, "helper"]}


def test_what_is_not_the_users_own_is_not_there(tmp_path: Path) -> None:
    file = written(tmp_path, "import locust\nimport reports\n")
    with pytest.raises(LoadError) as caught:
        LoadRunner.start(scenario(locustfile=file), "http://127.0.0.1:1", tmp_path, seed=1)
    assert str(caught.value) == (
        f"{file}, line 2: cannot be imported: ModuleNotFoundError: No module named 'reports'"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("class A(HttpUser:\n    pass\n", "{file}, line 2: not valid Python: "),
        ("x = 1\ny = x / 0\n", "{file}, line 3: cannot be imported: ZeroDivisionError: "),
        ("raise SystemExit(3)\n", "{file}, line 2: cannot be imported: SystemExit: 3"),
        ("x = 1\n", "{file}: there is no user class in it, "),
        ("class A(HttpUser):\n    pass\n", "{file}: the user class A has no task"),
    ],
)
def test_a_locustfile_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(LoadError) as caught:
        LoadRunner.start(scenario(locustfile=file), "http://127.0.0.1:1", tmp_path, seed=1)
    assert str(caught.value).startswith(sentence.format(file=file))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "load.log").exists()


ONE_TASK = """
    class Shopper(HttpUser):
        @task
        def get(self):
            self.client.get("/")
"""


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"mix": {"gett": 1}},
            (
                "'mix' has the name 'gett', which is no task of locustfile.py; give user classes or"
                " tasks: Shopper, get"
            ),
        ),
        (
            {"mix": {"Shopper": 1, "get": 1}},
            (
                "'mix' has the name 'Shopper' beside tasks, which is no task of locustfile.py;"
                " give user classes or tasks: Shopper, get"
            ),
        ),
        ({"tags": ["a", "b"]}, "{file}: no task is left by the tags a, b"),
    ],
)
def test_names_that_the_file_does_not_have_are_one_sentence(
    tmp_path: Path, fields: dict[str, Any], sentence: str
) -> None:
    file = written(tmp_path, ONE_TASK)
    with pytest.raises(LoadError) as caught:
        LoadRunner.start(scenario(locustfile=file, **fields), "http://localhost", tmp_path, seed=1)
    assert str(caught.value) == sentence.format(file=file)


def test_a_user_that_cannot_start_is_said_before_the_load(tmp_path: Path) -> None:
    text = """
    class Shopper(HttpUser):
        def on_start(self):
            self.client.post("/login").raise_for_status()
        @task
        def get(self):
            self.client.get("/")
    """
    file = written(tmp_path, text)
    with (
        service(lambda handler: handler.text(status=401)) as there,
        pytest.raises(LoadError) as caught,
    ):
        LoadRunner.start(scenario(locustfile=file), there.url, tmp_path, seed=1)
    said = str(caught.value)
    assert said.startswith(f"{file}: no user of Shopper can start: on_start raised HTTPError: 401")


def test_the_command_ends_with_one_sentence_and_code_2(tmp_path: Path) -> None:
    file = written(tmp_path, "class A(HttpUser:\n    pass\n")
    (tmp_path / "mine.yaml").write_text(
        "{name: mine, locustfile: locustfile.py, stages: [{rate: 1, duration: 1s}],"
        " request_timeout: 1s, max_in_flight: 1}"
    )
    command = "import sys; from chaos.cli import main; sys.argv[0] = 'gameday'; main()"
    arguments = ["load", str(tmp_path / "mine.yaml"), "--url", "http://127.0.0.1:1"]
    done = subprocess.run(
        [sys.executable, "-c", command, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"gameday: {file}, line 2: not valid Python: invalid syntax\n"
