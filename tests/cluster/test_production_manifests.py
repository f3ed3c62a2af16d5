"""Manifests as production systems have them, kustomized, applied as they are."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.cluster import addons
from service.cluster.apply import apply
from tests.cluster.apiserver_fixture import RunningApiServer, running_apiserver

FOLDER = str(Path(__file__).with_name("manifests") / "overlays" / "production")
# kubectl sends these each time: stringData is never read back, a budget's selector is replaced as
# a whole, and so are the ports of a policy, which have a default that the manifest leaves out.
ALWAYS_SENT = {
    "secret/ghcr-credentials",
    "poddisruptionbudget.policy/api-pdb",
    "networkpolicy.networking.k8s.io/api",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("api") / "server") as running:
        apply(running.kube, addons.definitions())
        yield running


@pytest.fixture(scope="module")
def applied(server: RunningApiServer) -> list[str]:
    """E.g. "deployment.apps/api"."""
    lines = server.kubectl("apply", "-k", FOLDER).splitlines()
    assert all(line.endswith(" created") for line in lines)
    return [line.removesuffix(" created") for line in lines]


def test_every_object_is_accepted_and_nothing_differs_afterwards(
    server: RunningApiServer, applied: list[str]
) -> None:
    assert len(applied) == 42
    assert server.kubectl("diff", "-k", FOLDER) == ""
    again = server.kubectl("apply", "-k", FOLDER).splitlines()
    assert {line.split()[0] for line in again if "unchanged" not in line} <= ALWAYS_SENT
    dry = server.kubectl("apply", "-k", FOLDER, "--dry-run=server")
    assert dry.count("(server dry run)") == len(applied)


def test_every_object_can_be_got_and_described(
    server: RunningApiServer, applied: list[str]
) -> None:
    shown = server.kubectl("get", "-k", FOLDER, "-o", "wide")
    described = server.kubectl("describe", "-k", FOLDER)
    for title in applied:
        name = title.partition("/")[2]
        assert title in shown
        assert re.search(rf"^Name: +{re.escape(name)}$", described, re.MULTILINE)


@pytest.mark.parametrize(
    ("kind", "columns", "cells"),
    [
        ("sc", "PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE", "ebs.csi.aws.com Retain WaitForF"),
        ("pc", "VALUE GLOBAL-DEFAULT AGE PREEMPTIONPOLICY", "shop-critical 1000000 false"),
        ("cronjob", "SCHEDULE TIMEZONE SUSPEND ACTIVE LAST SCHEDULE", "0 * * * * Etc/UTC False 0"),
        ("ds", "DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE SELECTOR", "node-exporter 0 0 0 0"),
        (
            "pv",
            "CAPACITY ACCESS MODES RECLAIM POLICY STATUS CLAIM",
            "archive 10Gi ROX Retain Avail",
        ),
        (
            "hpa",
            "REFERENCE TARGETS MINPODS MAXPODS",
            "cpu: <unknown>/70%, memory: <unknown>/80% + 1",
        ),
        ("svc", "TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE", "ExternalName <none> db.example.com"),
        ("ingressclass", "CONTROLLER PARAMETERS AGE", "nginx k8s.io/ingress-nginx <none>"),
        ("rolebinding", "ROLE AGE", "api Role/api"),
        ("role", "NAME CREATED AT", "api 20"),
        ("pdb", "MIN AVAILABLE MAX UNAVAILABLE ALLOWED DISRUPTIONS", "api-pdb 80% N/A 0"),
        ("certificate", "NAME READY SECRET AGE", "api-tls"),
    ],
)
def test_tables_have_the_columns_people_know(
    server: RunningApiServer, applied: list[str], kind: str, columns: str, cells: str
) -> None:
    assert applied
    heading, *rows = server.kubectl("get", kind, "-n", "shop").splitlines()
    assert columns in " ".join(heading.split())
    assert any(cells in " ".join(row.split()) for row in rows)
