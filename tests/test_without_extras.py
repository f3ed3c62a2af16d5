"""An installation without the extra `embedded`, as the image is one, can run game days."""

import subprocess
import sys
from importlib import metadata

from packaging.utils import canonicalize_name

from tests.licences import wanted_for

# Loads every module but those that Locust's own process loads, with the extra's packages away.
SCRIPT = """
import importlib, pkgutil, sys
import chaos, loadtests, reports, slo
away = set(sys.argv[1:])
class Away:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in away:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Away())
for root in (chaos, reports, slo):
    for found in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
"""


def test_every_module_of_a_run_loads_without_the_extra() -> None:
    uses = wanted_for()
    extra = {name for name, told in uses.items() if told != "always"}
    modules = {
        module
        for module, owners in metadata.packages_distributions().items()
        if {canonicalize_name(o) for o in owners} <= extra
    }
    assert {"jsonpatch", "trustme", "uvicorn"} <= modules
    command = [sys.executable, "-P", "-c", SCRIPT, *sorted(modules)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
