"""Programs that the machine lacks: real packages, built here, from an apt-get that is a script."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from service.cluster.packages import PACKAGES, Package, PackageMissingError, user_cache

PROBE = Package(
    "Probe",
    ("probe", "probe-cli"),
    ("probe-server", "probe-tools"),
    minimum=(6,),
    variable="PROBE_BINARY",
)
SENTENCE = (
    "Probe 6 or newer is missing and could not be fetched: install the package 'probe-server',"
    " or put probe and probe-cli on PATH"
)
# Download gives the two packages, install those that they depend on as well.
APT_GET = """\
#!/bin/sh
echo "$*" >>"{store}/asked"
for word; do case $word in Dir::Cache=*) cache=${{word#*=}};; esac; done
case " $* " in
  *" install "*) cp "{store}"/*.deb "$cache/archives";;
  *" download "*) cp "{store}"/probe-*.deb .;;
esac
"""
NEEDS_A_LIBRARY = 'test -e "$LD_LIBRARY_PATH/libprobe.so.1" || exit 127'


def program(path: Path, version: str, needs: str = ":") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\n{needs}\necho "probe v={version} build=1 ${{2:-}}"\n')
    path.chmod(0o755)
    return path


def both(folder: Path, version: str) -> Path:
    program(folder / "probe-cli", version)
    return program(folder / "probe", version)


def package(store: Path, name: str) -> Path:
    """Where the files of a package go, before it is built."""
    control = store / name / "DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: a\n"
    )
    return store / name


def build(store: Path) -> None:
    for control in store.glob("*/DEBIAN"):
        subprocess.run(["dpkg-deb", "--build", str(control.parent)], check=True, cwd=store)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of the PATH, and a cache that is empty."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def store(path: Path, tmp_path: Path) -> Path:
    """What apt-get has: the two packages, empty."""
    store = tmp_path / "store"
    for name in PROBE.debian:
        package(store, name)
    (path / "apt-get").write_text(APT_GET.format(store=store))
    (path / "apt-get").chmod(0o755)
    return store


def test_programs_on_path_are_taken_and_nothing_is_fetched(path: Path, store: Path) -> None:
    on_path = both(path, "6.0.16")
    assert PROBE.fetch() == on_path
    assert not (store / "asked").exists()


def test_a_program_on_path_that_is_too_old_is_not_taken(path: Path, store: Path) -> None:
    both(path, "5.0.14")
    assert PROBE.find() is None
    both(store / "probe-server/usr/bin", "7.0.15")
    build(store)
    said: list[str] = []
    found = PROBE.fetch(said.append)
    assert found == user_cache() / "probe-server/usr/bin/probe"
    assert PROBE.find() == found
    assert said == ["fetching Probe …"]


def test_a_program_on_path_without_the_other_is_not_taken(path: Path) -> None:
    program(path / "probe", "7.0.15")
    assert PROBE.find() is None
    program(path / "probe-cli", "7.0.15")
    assert PROBE.find() == path / "probe"


def test_a_program_that_does_not_run_is_not_taken(path: Path) -> None:
    both(path, "7.0.15")
    program(path / "probe", "7.0.15", needs="exit 127")
    assert PROBE.find() is None


def test_a_variable_names_the_program(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both(path, "6.0.16")
    own = program(tmp_path / "own/probe-7", "7.0.15")
    monkeypatch.setenv("PROBE_BINARY", str(own))
    assert PROBE.find() == own


def test_libraries_that_the_machine_lacks_are_fetched_and_named(store: Path) -> None:
    server = store / "probe-server/usr/bin"
    both(server, "7.0.15")
    program(server / "probe", "7.0.15", NEEDS_A_LIBRARY)
    library = package(store, "libprobe1") / "usr/lib/any-linux-gnu/libprobe.so.1"
    library.parent.mkdir(parents=True)
    library.touch()
    build(store)
    found = PROBE.fetch()
    done = subprocess.run([found, "a b", "c d"], capture_output=True, text=True, check=True)
    assert done.stdout == "probe v=7.0.15 build=1 c d\n"
    assert "c d" in subprocess.check_output([found.with_name("probe-cli"), "a b", "c d"], text=True)
    assert [p.name for p in user_cache().iterdir()] == ["probe-server"]  # nothing else is left


def test_where_the_machine_has_no_package_lists_they_are_fetched(path: Path, store: Path) -> None:
    both(store / "probe-server/usr/bin", "7.0.15")
    build(store)
    script = path / "apt-get"
    needs_lists = '#!/bin/sh\ncase "$*" in *Dir::State=*) ;; *) exit 100;; esac\n'
    script.write_text(script.read_text().replace("#!/bin/sh\n", needs_lists))
    assert PROBE.fetch() == PROBE.find()
    assert " update" in (store / "asked").read_text().splitlines()[0]


@pytest.mark.parametrize("apt", ["refuses", "has packages that do not run"])
def test_a_fetch_that_fails_is_one_sentence(apt: str, path: Path, store: Path) -> None:
    if apt == "refuses":
        (path / "apt-get").write_text("#!/bin/sh\nexit 100\n")
    else:
        program(store / "probe-server/usr/bin/probe", "7.0.15", NEEDS_A_LIBRARY)
        build(store)
    with pytest.raises(PackageMissingError) as raised:
        PROBE.fetch()
    assert str(raised.value) == SENTENCE
    assert list(user_cache().iterdir()) == []


def test_where_there_is_no_apt_it_is_the_same_sentence(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(path))
    assert shutil.which("apt-get") is None
    with pytest.raises(PackageMissingError) as raised:
        PROBE.fetch()
    assert str(raised.value) == SENTENCE


@pytest.mark.parametrize("wanted", PACKAGES, ids=lambda p: p.name)
def test_the_real_programs_are_here(wanted: Package) -> None:
    found = wanted.find()
    assert found is not None, wanted.hint
    for name in wanted.programs:
        subprocess.run([found.with_name(name), "--version"], capture_output=True, check=True)
