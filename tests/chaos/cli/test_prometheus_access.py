"""How the command gets in to Prometheus: through the Kubernetes API, and what it says before a run.

The API server is a stand-in that answers a few requests; the client is the official one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chaos.cli.errors import UsageError
from chaos.cli.system import prometheus_of
from chaos.kube import Cluster
from slo.observe.answers import PrometheusError
from slo.observe.prometheus import Prometheus
from slo.system.folder import read_system
from slo.system.model import Target
from slo.system.prometheus import PrometheusAccess
from tests.slo.observe.fronts import JSON, Answered, Front, Request, answering, body

GAMEDAY = str(Path(sys.executable).parent / "gameday")
NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
PROXY = "/api/v1/namespaces/monitoring/services/mimir:8080/proxy"
ALLOWED = {"gameday.dev/allowed": "true"}
WORKLOAD = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "checkout", "namespace": "shop"},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "checkout"}}},
}


def api_server(prometheus: Callable[[Request], Answered]) -> Callable[[Request], Answered]:
    def answer(request: Request) -> Answered:
        known: dict[str, Any] = {
            "/version": {"gitVersion": "v1.37.0"},
            "/api/v1/namespaces/shop": {"metadata": {"name": "shop", "labels": ALLOWED}},
            "/apis/apps/v1/namespaces/shop/deployments/checkout": WORKLOAD,
        }
        if request.path in known:
            return 200, JSON, json.dumps(known[request.path]).encode()
        if request.path.startswith(PROXY):
            return prometheus(request)
        return 404, JSON, b'{"kind": "Status", "message": "not here", "reason": "NotFound"}'

    return answer


def kubeconfig(front: Front, folder: Path) -> Path:
    path = folder / "kubeconfig"
    user = {"name": "u", "user": {"token": "of-kubernetes"}}
    cluster = {"name": "c", "cluster": {"server": front.url}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    whole = {"users": [user], "clusters": [cluster], "contexts": [context], "current-context": "x"}
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **whole}))
    return path


def opened(front: Front, folder: Path, **fields: Any) -> Prometheus:
    service = {"service": "mimir", "port": 8080, "namespace": "monitoring", "path": "/prometheus"}
    access = PrometheusAccess.model_validate(service | fields)
    target = Target(namespace="shop", workload="checkout")
    return prometheus_of(access, None, target, Cluster.connect(str(kubeconfig(front, folder))))


def test_queries_go_through_the_kubernetes_api_with_prefix_and_headers(tmp_path: Path) -> None:
    with answering(api_server(lambda _: body())) as front:
        prometheus = opened(front, tmp_path, headers={"X-Scope-OrgID": "shop"})
        assert [v.value for v in prometheus.instant('up{a="ü&="}', NOW)] == [0.5]
        (request,) = front.seen
    assert request.path == f"{PROXY}/prometheus/api/v1/query"
    assert request.query["query"] == 'up{a="ü&="}'
    assert request.headers["x-scope-orgid"] == "shop"
    assert request.headers["authorization"] == "Bearer of-kubernetes"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            (400, JSON, b'{"status":"error","errorType":"bad_data","error":"parse error"}'),
            "^Prometheus refused the query: parse error$",
        ),
        (
            (503, JSON, b'{"kind":"Status","message":"no endpoints available for service"}'),
            "^the Service mimir:8080 answered 503 .*: no endpoints available for service$",
        ),
        ((502, "text/html", b"<h1>bad</h1>"), "^the Service mimir:8080 answered 502 Bad Gateway$"),
        (body(warnings=["store is away"]), r"^partial answer: .*\(store is away\)$"),
    ],
)
def test_what_comes_back_through_the_kubernetes_api_is_told_in_its_own_words(
    tmp_path: Path, answer: Answered, sentence: str
) -> None:
    with answering(api_server(lambda _: answer)) as front:
        prometheus = opened(front, tmp_path)
        with pytest.raises(PrometheusError, match=sentence):
            prometheus.instant("up", NOW)


def test_an_api_server_that_is_away_is_a_prometheus_error(tmp_path: Path) -> None:
    with answering(api_server(lambda _: body())) as front:
        prometheus = opened(front, tmp_path)
    with pytest.raises(PrometheusError, match="the API server does not answer"):
        prometheus.instant("up", NOW)


def test_a_secret_is_looked_for_in_the_folder_of_the_system(tmp_path: Path) -> None:
    write_system(tmp_path, "{url: 'http://127.0.0.1:1', bearer_token: {file: token}}")
    system = read_system(tmp_path)
    with answering(api_server(lambda _: body())) as front:
        cluster = Cluster.connect(str(kubeconfig(front, tmp_path)))
    with pytest.raises(UsageError, match=rf"{tmp_path}/token cannot be read"):
        prometheus_of(system.system.prometheus, system, system.system.target, cluster)
    (tmp_path / "token").write_text("t0ken\n")
    prometheus_of(system.system.prometheus, system, system.system.target, cluster)


def write_system(folder: Path, prometheus: str) -> None:
    (folder / "system.yaml").write_text(
        "name: checkout\n"
        "target: {namespace: shop, workload: checkout, url: 'http://127.0.0.1:1'}\n"
        f"prometheus: {prometheus}\n"
    )
    (folder / "runbook.md").write_text(
        "# Checkout\n\n| Metric | Target | Critical |\n|---|---|---|\n"
        "| Error Rate | < 1% | > 5% |\n| CPU Utilization | < 70% | > 90% |\n"
    )
    (folder / "tiny.yaml").write_text(
        "name: tiny\nrequests: [{path: /}]\nstages: [{rate: 1}]\nrequest_timeout: 1s\n"
        "max_in_flight: 1\n"
    )
    (folder / "plan.yaml").write_text(
        "name: one\n"
        f"load: {{scenario: {folder / 'tiny.yaml'}}}\n"
        "experiments:\n"
        "  - name: kill\n"
        "    title: One pod is deleted\n"
        "    fault: {kind: pod-kill, how: delete, select: {labels: {app: checkout}, count: 1}}\n"
        "    baseline: 20s\n"
        "    duration: 20s\n"
        "    recovery: 20s\n"
        "    expect: {severity: SEV3, recover_within: 15s}\n"
    )


def dry_run(folder: Path, config: Path, **env: str) -> subprocess.CompletedProcess[str]:
    options = ["--system", folder, "--kubeconfig", config, "--runs", folder / "runs", "--dry-run"]
    return subprocess.run(
        [GAMEDAY, "run", folder / "plan.yaml", *options],
        env=os.environ | {"COLUMNS": "300"} | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_an_unset_variable_is_one_sentence_and_code_2_before_the_run(tmp_path: Path) -> None:
    write_system(tmp_path, "{url: 'http://127.0.0.1:1', bearer_token: {env: NOT_SET_ANYWHERE}}")
    with answering(api_server(lambda _: body())) as front:
        done = dry_run(tmp_path, kubeconfig(front, tmp_path))
    said = "bearer_token of Prometheus: the environment variable NOT_SET_ANYWHERE is not set"
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stdout + done.stderr
    assert said in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_prometheus_that_refuses_is_told_before_the_run_without_the_token(
    tmp_path: Path,
) -> None:
    def refuse(request: Request) -> Answered:
        return 401, "text/plain", request.headers["authorization"].encode()

    with (
        answering(refuse) as prometheus,
        answering(api_server(lambda _: body())) as front,
    ):
        write_system(tmp_path, f"{{url: '{prometheus.url}', bearer_token: {{env: GIVEN}}}}")
        done = dry_run(tmp_path, kubeconfig(front, tmp_path), GIVEN="t0ken-value")
    told = done.stdout + done.stderr
    assert f"{prometheus.url} answered 401 Unauthorized: Bearer ***" in told
    assert "t0ken-value" not in told
    assert "Traceback" not in told
