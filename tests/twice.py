"""pytest, and what failed once more by itself: `python -m tests.twice [pytest's arguments]`.

Two files run at a time, each with its own cluster, on a machine that may be shared: a test can fail
because it got no processor in time. So a few failures are tried again with nothing beside them.
Both results are printed, and a test that fails twice fails. Many failures are no accident, and are
not tried again.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

FEW = 3
FAILED = 1  # pytest's exit code for failed tests; interrupted, bad usage and crashes are others
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile")  # tests of a file share a cluster


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as cache:
        code = _pytest(cache, *SIDE_BY_SIDE, *arguments)
        failed = _failed(cache)
        if code != FAILED or not 0 < len(failed) <= FEW:
            return code
        print("\nFailed beside other tests, and now tried again with nothing beside them:")
        print(*failed, sep="\n", flush=True)
        again = _pytest(cache, *arguments, "--last-failed", "--last-failed-no-failures", "none")
    if again == 0:
        print("\nPassed by themselves only, which is worth a look:", *failed, sep="\n", flush=True)
    return again


def _pytest(cache: str, *arguments: str) -> int:
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *arguments]
    return subprocess.run(command, check=False).returncode


def _failed(cache: str) -> list[str]:
    try:
        return list(json.loads((Path(cache) / "v/cache/lastfailed").read_text()))
    except FileNotFoundError:
        return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
