"""The wheel works where it is installed, also in a repository with packages of the same names."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pytest

from tests.slo.builders import EXAMPLES, build

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("chaos", "loadtests", "reports", "service", "slo")
LOAD = """\
name: mine
requests: [{path: /}]
stages: [{rate: 20}]
request_timeout: 5s
max_in_flight: 10
"""
RUNBOOK = """\
# Shop

## Key metrics

| Metric | Target | Critical Threshold |
|---|---|---|
| Error Rate | < 0.1 % | > 1 % |
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, as a build leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, folder / "source" / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder / "source")
    _pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(folder / "source"))
    (built,) = folder.glob("*.whl")
    return built


def _pip(*arguments: str) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-index"]
    command = [sys.executable, "-m", "pip", *arguments, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Elsewhere:
    """An environment with the wheel, and somebody's repository as its working directory."""

    programs: Path
    directory: Path

    def __call__(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.directory,
            env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}", "COLUMNS": "100"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """Dependencies come from the tests' environment, gameday from the wheel alone."""
    folder = tmp_path_factory.mktemp("elsewhere")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    _pip("--python", str(environment), "install", "--no-deps", str(wheel))
    paths = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    # A path in a .pth file brings the packages, but not the editable install, which is a .pth too.
    dependencies = Path(paths["purelib"]) / "dependencies.pth"
    dependencies.write_text(sysconfig.get_paths()["purelib"] + "\n")
    for name in PACKAGES:
        package = folder / "repository" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise SystemExit('this is the repository\\'s own')")
    return Elsewhere(environment / "bin", folder / "repository")


@pytest.fixture
def url() -> Iterator[str]:
    """A server that finds everything well."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    sources = {
        str(path.relative_to(REPOSITORY))
        for name in PACKAGES
        for path in (REPOSITORY / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = set(ZipFile(wheel).namelist())
    assert {n for n in names if ".dist-info/" not in n} == sources
    assert {f"{name}/py.typed" for name in PACKAGES} <= names
    assert any(name.endswith("/LICENSE") for name in names)


def test_it_is_the_wheel_that_runs(elsewhere: Elsewhere) -> None:
    done = elsewhere("python", "-P", "-c", "import chaos; print(chaos.__file__)")
    assert done.stdout.startswith(str(elsewhere.programs.parent)), done.stderr
    done = elsewhere("gameday", "--version")
    assert done.returncode == 0, done.stderr
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert done.stdout.strip() == project["version"]


def test_a_runbook_is_checked(elsewhere: Elsewhere) -> None:
    (elsewhere.directory / "shop.md").write_text(RUNBOOK)
    done = elsewhere("gameday", "runbook", "check", "shop.md", "--json")
    assert done.returncode == 0, done.stderr
    assert "objective-without-alert" in done.stdout


def test_load_is_put_on_a_server(elsewhere: Elsewhere, url: str) -> None:
    scenario = elsewhere.directory / "my-load.yaml"
    scenario.write_text(LOAD)
    done = elsewhere("gameday", "load", "my-load.yaml", "--url", url, "--duration", "3s", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["kept"] == said["sent"] > 0


def test_a_recorded_run_is_scored_and_reported(elsewhere: Elsewhere) -> None:
    run = build(EXAMPLES["fail"], elsewhere.directory / "runs/fail")
    done = elsewhere("gameday", "score", "runs/fail", "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["outcome"] == "fail"
    done = elsewhere("gameday", "report", "runs/fail")
    assert done.returncode == 0, done.stderr
    assert (run / "report.html").stat().st_size > 0


@pytest.mark.parametrize(
    "image",
    [
        "gameday/gameday:1",
        "registry.k8s.io/ingress-nginx/controller:v1",
        "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2",
    ],
)
def test_an_image_of_the_embedded_cluster_starts(elsewhere: Elsewhere, image: str) -> None:
    code = (
        "import json, sys; from service.cluster.images import Images;"
        "print(json.dumps(Images().find(sys.argv[1]).entrypoint))"
    )
    found = elsewhere("python", "-P", "-c", code, image)
    python, *arguments = json.loads(found.stdout)
    assert Path(python).parent == elsewhere.programs
    done = elsewhere("python", *arguments, "--help")
    assert done.stdout.casefold().startswith("usage: "), done.stderr
