"""The reference service's scenarios, which are known by their names."""

from pathlib import Path

import service
from loadtests.scenario import Scenario, Traffic, load_scenario

FOLDER = Path(service.__file__).parent / "gameday"


def reference_scenario(name_or_path: str) -> Scenario:
    """One of the reference service's by name, else a file. Raises slo.documents.DocumentError.

    A file that does not say what is sent gets the reference service's users.
    """
    users = Traffic(locustfile=FOLDER / "locustfile.py")
    return load_scenario(name_or_path, folder=FOLDER / "scenarios", default=users)
