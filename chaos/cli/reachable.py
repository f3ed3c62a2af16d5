"""Does the load arrive where it goes? Asked once, from where it will be sent, before any fault."""

from collections.abc import Iterable, Iterator

from chaos.plan.model import Plan
from chaos.run.loads import Loaded
from loadtests.reach import UnreachableError, reach


def unreachable(plan: Plan, services: Iterable[Loaded]) -> Iterator[str]:
    """Why nobody can be reached where the loads would go, and what would help."""
    beside = plan.load.beside if plan.load else ()
    given = {"": plan.target.url, **{b.name: b.url for b in beside}}
    for service in services:
        users = service.scenario
        try:
            reach(service.url, verify=users.verify is not False, ca_file=users.ca_file)
        except UnreachableError as error:
            advice = "" if given.get(service.name) else f": {_advice(service.name)}"
            yield f"the load would go nowhere: {error}{advice}"


def require_reachable(plan: Plan, services: Iterable[Loaded]) -> None:
    """Raises UnreachableError."""
    for problem in unreachable(plan, services):
        raise UnreachableError(problem)


def _advice(service: str) -> str:
    where = "target" if not service else f"{service} (load.beside)"
    return (
        "that is the address of a Service, which often only the cluster's own network reaches, so"
        " run gameday in there (gameday run --in-cluster), or say in the plan or in system.yaml"
        f" with the 'url' of {where} where users come in: an Ingress, a load balancer, or for a"
        " first look the address of a kubectl port-forward; and if users do reach it, look whether"
        " its pods are ready"
    )
