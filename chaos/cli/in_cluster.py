"""`gameday run --in-cluster`: what the run needs is packed here and unpacked in the cluster."""

import io
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from chaos.cli.conclusion import conclude
from chaos.cli.run_checks import Given
from chaos.cli.run_directory import point_latest_at
from chaos.kube import Cluster
from chaos.run.in_cluster import ClusterRun
from chaos.run.interrupt import interruptible
from chaos.run.jobs import RUNS
from slo.policy import BUNDLED_POLICY

_LEFT_OUT = {"__pycache__", "runs", "node_modules"}


class Bundle:
    """The files of a run under the folder that they have in common, so that their paths hold.

    The working directory is among them: paths on the command line and in plans begin there.
    """

    def __init__(self, given: Given, files: Path | None) -> None:
        self._given, self._folder = given, files
        self._here = Path.cwd()
        self._paths = sorted({path.resolve() for path in self._needed()})
        self._root = Path(os.path.commonpath([self._here, *(p.parent for p in self._paths)]))

    def packed(self) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            tar.addfile(_folder(self.directory))
            for path in self._paths:
                tar.add(path, arcname=str(path.relative_to(self._root)), filter=_as_nobody)
        return out.getvalue()

    @property
    def directory(self) -> str:
        """The working directory, seen from where all is unpacked; "." where it is that."""
        return str(self._here.relative_to(self._root))

    def place(self, path: Path) -> str:
        """Where it lies in the pod, seen from the working directory."""
        return os.path.relpath(path.resolve(), self._here)

    def arguments(self) -> list[str]:
        """The command line of the run in the cluster."""
        given = self._given
        found = ["run", self.place(given.plan_file), "--runbook", self.place(given.runbook_file)]
        if given.folder is not None:
            found += ["--system", self.place(given.folder.path)]
        if given.policy_file != BUNDLED_POLICY:
            found += ["--policy", self.place(given.policy_file)]
        if self._folder is not None:
            found += ["--files", self.place(self._folder)]
        return [*found, "--runs", RUNS]

    def _needed(self) -> Iterator[Path]:
        given = self._given
        yield from (given.plan_file, given.runbook_file)
        if given.policy_file != BUNDLED_POLICY:
            yield given.policy_file
        for folder in (given.folder.path if given.folder else None, self._folder):
            if folder is not None:
                yield from _files_in(folder)
        load = given.plan.load
        for name in (load.scenario, *(b.scenario for b in load.beside)) if load else ():
            if Path(name).is_file():  # others are names, of files in the system's folder
                yield Path(name)
        for users in (given.scenario, *(users for _, users in given.beside)):
            if users is not None:
                yield from filter(None, (users.locustfile, users.ca_file))


def run_in_cluster(
    given: Given,
    cluster: Cluster,
    runs: Path,
    screen: Console,
    *,
    files: Path | None,
    secrets: Sequence[str],
    flags: Iterable[str],
    json: bool,
) -> int:
    """Its exit code is that of the command in the cluster."""

    def show(line: str) -> None:
        screen.print(line, markup=False, highlight=False, soft_wrap=True)

    bundle = Bundle(given, files)
    job = ClusterRun(cluster, given.plan.target.namespace, given.plan.watchdog, show)
    with interruptible():
        cluster.check()
        arguments = [*bundle.arguments(), *flags]
        with job.started(bundle.packed(), arguments, directory=bundle.directory, secrets=secrets):
            code = job.follow(show)
            run_dir = job.fetch(runs)
    if run_dir is not None:
        point_latest_at(run_dir)
        show(f"fetched: {run_dir}")
        if json:
            conclude(run_dir, screen, json=True)
    return code


def _files_in(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _LEFT_OUT:
            continue
        if path.is_dir():
            yield from _files_in(path)
        elif path.is_file():
            yield path


def _folder(name: str) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.mode = tarfile.DIRTYPE, 0o755
    return found


def _as_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whoever packs, the same files make the same bundle; its user in the pod can read them."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o644
    return member
