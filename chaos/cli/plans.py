"""`gameday plan import` and `export`: plans from experiments of the Chaos Toolkit, and back."""

import json
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chaos.cli import options
from chaos.cli.app import app, tell
from chaos.cli.errors import UsageError

if TYPE_CHECKING:
    from ruamel.yaml import YAML

plans = typer.Typer(help="Plans from experiments of the Chaos Toolkit, and back.")
app.add_typer(plans, name="plan", no_args_is_help=True)


@plans.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="An experiment, JSON or YAML.")],
    *,
    workload: Annotated[str, typer.Option(help="The Deployment under test.")],
    url: Annotated[str, typer.Option(help="Where its users reach it.")],
    prometheus: Annotated[str, typer.Option(help="Prometheus' address.")],
    scenario: options.ScenarioOption = "steady",
    namespace: Annotated[str, typer.Option(help="Where the actions name none.")] = "default",
) -> None:
    """Print the plan; what could not be carried over is said on standard error."""
    from ruamel.yaml import YAML

    from chaos.plan import chaos_toolkit
    from chaos.plan.model import Plan
    from slo.documents import parse_document

    around = chaos_toolkit.Around(
        workload=workload, url=url, prometheus=prometheus, scenario=scenario, namespace=namespace
    )
    try:
        found = chaos_toolkit.read(_load(file), around)
    except chaos_toolkit.ToolkitError as error:
        raise UsageError(f"{file}: {error}") from error
    _note(file, found.notes)
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = _dumped(yaml, found.plan)
    parse_document(text, f"the plan from {file}", Plan)
    sys.stdout.write(text)


@plans.command("export")
def export(plan: options.Plan, *, system: options.System = None) -> None:
    """Print the experiment as JSON; what has no place in it is said on standard error."""
    from chaos.cli.system import system_folder
    from chaos.plan import chaos_toolkit
    from chaos.plan.model import find_plan, read_plan

    folder = system_folder(system, embedded=False)
    path = find_plan(plan, folder.plans if folder else None)
    read = read_plan(path, folder.system if folder else None)
    written, notes = chaos_toolkit.write(read, _load(path))
    _note(path, notes)
    json.dump(written, sys.stdout, indent=2)
    print()


def _load(file: Path) -> Any:
    """JSON is YAML too."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: neither JSON nor YAML") from error


def _dumped(yaml: "YAML", document: Any) -> str:
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _note(file: Path, notes: list[str]) -> None:
    for note in notes:
        tell(f"{file}: not carried over: {note}", error=True)
