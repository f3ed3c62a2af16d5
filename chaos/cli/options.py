"""Arguments and options that several commands have, with how they are completed."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from chaos.cli import completion


def duration_option(text: str) -> timedelta:
    from slo.documents import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Kubeconfig = Annotated[str | None, typer.Option(help="Default: the one that kubectl uses.")]
Context = Annotated[str | None, typer.Option(help="A context of the kubeconfig.")]
System = Annotated[
    Path | None,
    typer.Option(help="The system's folder. Default: gameday/ here or above.", file_okay=False),
]
Runbook = Annotated[
    Path | None, typer.Option("--runbook", help="The runbook. Default: the system's.")
]
Namespace = Annotated[
    str | None,
    typer.Option(help="The only namespace that steps may change. Default: the system's."),
]
Workload = Annotated[
    str | None, typer.Option(help="The workload that users depend on. Default: the system's.")
]
Service = Annotated[
    str | None,
    typer.Option(help="The Service, with port, that users go to. Default: the system's."),
]
Files = Annotated[
    Path | None,
    typer.Option(help="A folder of manifests that the runbook names, e.g. k8s.", file_okay=False),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="A value for a placeholder: pod-name=api-7x."),
]
Unconfined = Annotated[
    bool, typer.Option("--unconfined", help="Run steps even if this kernel cannot sandbox them.")
]
Runs = Annotated[Path, typer.Option(help="Where run directories go.")]

Plan = Annotated[
    str,
    typer.Argument(
        help="A plan of the system's folder, or a YAML file.", autocompletion=completion.plans
    ),
]
Scenario = Annotated[
    str | None,
    typer.Argument(
        help="A scenario of the system's folder, or a YAML file.",
        autocompletion=completion.scenarios,
    ),
]
ScenarioChoice = Annotated[
    str | None,
    typer.Option(
        help="The load. Default: the system's scenario `drill`, else the one of system.yaml.",
        autocompletion=completion.scenarios,
    ),
]
ScenarioOption = Annotated[
    str,
    typer.Option(
        help="The load: a scenario of the system's folder, or a YAML file.",
        autocompletion=completion.scenarios,
    ),
]
