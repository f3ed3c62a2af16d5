"""Stands in for the image prom/prometheus: runs the Prometheus binary of this machine.

Debian and Ubuntu build Prometheus without Kubernetes service discovery. Where the binary lacks
it, this program follows the cluster in its stead: each kubernetes_sd_config of the configuration
is replaced by a file_sd_config over a file that is kept current from the API. Where the binary
has it, or the configuration does not ask for it, nothing stands between. The API is reached by the
pod's service account, outside of pods by KUBECONFIG.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

from ruamel.yaml import YAML

from service.cluster.informer import Informer
from service.cluster.kube import NODES, Json, Kube, Resource
from service.cluster.packages import PROMETHEUS
from service.images.kubernetes_sd import ROLES, groups
from service.images.process import die_with_parent

LISTEN = "--web.listen-address"
"""Its default here is the pod's address instead of all addresses, which all pods would share."""

_KNOWN = {"role", "namespaces"}
_LOOK_S = 0.25  # how soon a changed configuration, or changed targets, are written


def translate(config: Json, base: Path, targets: Path) -> tuple[Json, dict[Path, Json]]:
    """The configuration without kubernetes_sd_configs, and the sd config behind each target file.

    `base` is the folder that the configuration's relative paths start from, `targets` the folder
    for the files. Raises ValueError for discovery that is beyond this program.
    """
    config, files = deepcopy(config), {}
    config["rule_files"] = [str(base / name) for name in config.get("rule_files") or []]
    for job in config.get("scrape_configs") or []:
        for number, wanted in enumerate(job.pop("kubernetes_sd_configs", None) or []):
            name = job["job_name"]
            if wanted.get("role") not in ROLES or set(wanted) - _KNOWN:
                raise ValueError(
                    f"job {name}: this Prometheus was built without Kubernetes discovery; the "
                    f"replacement knows the roles {', '.join(ROLES)} with namespaces, no more"
                )
            file = targets / f"{name}-{number}.json"
            files[file] = wanted
            found = job.setdefault("file_sd_configs", [])
            found.append({"files": [str(file)], "refresh_interval": "5s"})
    return config, files


def lacks_discovery(binary: str) -> bool:
    """Whether this Prometheus was built without Kubernetes discovery."""
    # No flag tells; a Go binary names the packages that it is made of.
    needle, tail = b"prometheus/discovery/kubernetes", b""
    with Path(binary).open("rb") as file:
        while chunk := file.read(1 << 22):
            if needle in tail + chunk:
                return False
            tail = chunk[-len(needle) :]
    return True


def _write(file: Path, text: str) -> None:
    """Replace the file at once, so that nobody reads half of it."""
    fresh = file.with_name(f".{file.name}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)


def _namespaces(sd_config: Json) -> list[str | None]:
    """Those that are looked into one by one, as Prometheus does with few rights; None is all."""
    if ROLES[sd_config["role"]] == NODES:
        return [None]
    return list((sd_config.get("namespaces") or {}).get("names") or [None])


class _Follower:
    """Keeps the translated configuration and the target files current."""

    def __init__(self, config: Path, work: Path, kube: Kube) -> None:
        self.translated = work / "prometheus.yml"
        self._config, self._work, self._kube = config, work, kube
        self._informers: dict[tuple[Resource, str | None], Informer] = {}
        self._changed = threading.Event()
        self._written: dict[Path, str] = {}
        self._read = 0
        self._files: dict[Path, Json] = {}
        self.refresh()

    def refresh(self) -> None:
        if self._config.stat().st_mtime_ns != self._read:
            self._read = self._config.stat().st_mtime_ns
            plain = YAML(typ="safe", pure=True).load(self._config) or {}
            config, self._files = translate(plain, self._config.parent, self._work)
            for wanted in self._files.values():
                for namespace in _namespaces(wanted):
                    self._follow(ROLES[wanted["role"]], namespace)
            with self.translated.open("w", encoding="utf-8") as out:
                YAML(typ="safe", pure=True).dump(config, out)
        for file, wanted in self._files.items():
            resource = ROLES[wanted["role"]]
            informers = [self._informers[resource, each] for each in _namespaces(wanted)]
            objects = [obj for informer in informers for obj in informer.list()]
            text = json.dumps(groups(wanted, objects))
            if self._written.get(file) != text:
                _write(file, text)
                self._written[file] = text

    def _follow(self, resource: Resource, namespace: str | None) -> None:
        if (resource, namespace) not in self._informers:
            informer = Informer(self._kube, resource, namespace=namespace)
            informer.on_change(lambda *_: self._changed.set())
            self._informers[resource, namespace] = informer.start()
            informer.synced.wait(10)

    def run(self) -> None:
        while True:
            self._changed.wait(_LOOK_S * 8)
            self._changed.clear()
            try:
                self.refresh()
            except (OSError, ValueError) as error:
                print(f"configuration kept as it was: {error}", file=sys.stderr)
            threading.Event().wait(_LOOK_S)  # take many changes at once


def _supervise(command: Sequence[str]) -> int:
    """Run a child that gets our signals and ends when we do; its exit code (128 + signal)."""
    with subprocess.Popen(command, preexec_fn=die_with_parent) as child:  # noqa: PLW1509
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda got, _: child.send_signal(got))
        code = child.wait()
    return code if code >= 0 else 128 - code


def main() -> None:
    parser = argparse.ArgumentParser(prog="prometheus", description=__doc__, add_help=False)
    parser.add_argument("--config.file", dest="config", type=Path, default="prometheus.yml")
    parser.add_argument(LISTEN, dest="listen", default=f"{os.environ.get('POD_IP', '')}:9090")
    options, others = parser.parse_known_args()
    others.append(f"{LISTEN}={options.listen}")
    found = PROMETHEUS.find()
    if found is None:
        sys.exit(f"prometheus: {PROMETHEUS.hint}")
    binary = str(found)
    wanted = "kubernetes_sd_configs" in options.config.read_text(encoding="utf-8")
    # Where a service account cannot be mounted, KUBECONFIG stands in for it, and only we read it.
    if not wanted or not (os.environ.get("KUBECONFIG") or lacks_discovery(binary)):
        os.execv(binary, [binary, f"--config.file={options.config}", *others])  # noqa: S606
    with tempfile.TemporaryDirectory(prefix="prometheus-") as work:
        try:
            kube = Kube.connect(os.environ.get("KUBECONFIG"))
            follower = _Follower(options.config, Path(work), kube)
        except ValueError as error:
            sys.exit(f"prometheus: {options.config}: {error}")
        threading.Thread(target=follower.run, daemon=True).start()
        code = _supervise([binary, f"--config.file={follower.translated}", *others])
    sys.exit(code)


if __name__ == "__main__":
    main()
