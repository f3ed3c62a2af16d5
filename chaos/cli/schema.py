"""`gameday schema`: what may stand in the files that people write, for their editors."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.app import app

if TYPE_CHECKING:
    from pydantic import BaseModel


class Document(StrEnum):
    SYSTEM = "system"
    PLAN = "plan"
    SCENARIO = "scenario"
    POLICY = "policy"


@app.command()
def schema(
    document: Annotated[Document, typer.Argument(help="The kind of file.")] = Document.SYSTEM,
) -> None:
    """Print the JSON Schema of a file, e.g. for `# yaml-language-server: $schema=FILE`."""

    from chaos.plan.model import Plan
    from loadtests.scenario import Scenario
    from slo.policy import Policy
    from slo.system import schema as schemas
    from slo.system.model import System

    models: dict[Document, type[BaseModel]] = {
        Document.SYSTEM: System,
        Document.PLAN: Plan,
        Document.SCENARIO: Scenario,
        Document.POLICY: Policy,
    }
    print(schemas.schema(models[document], f"gameday: {document.value}"), end="")
