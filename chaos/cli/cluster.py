"""`gameday cluster`: the embedded cluster on this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer

from chaos.cli.app import Json, app, console, print_json
from chaos.progress import Progress
from service.cluster import embedded

cluster_app = typer.Typer(help="The embedded cluster on this machine.", no_args_is_help=True)
app.add_typer(cluster_app, name="cluster")


@contextmanager
def embedded_cluster(progress: Progress) -> Iterator[str]:
    """The kubeconfig of the embedded cluster, started if need be; ended if it was started here."""
    was_up = embedded.status().running
    if not was_up:
        progress.say("starting the embedded cluster")
    try:
        info = embedded.up(owner_pid=None if was_up else os.getpid())
        if not was_up:
            progress.say(f"all pods ready after {info.boot_s:.1f} s")
        yield str(info.kubeconfig)
    finally:
        if not was_up:
            embedded.down()
