"""Ingress: which path a request belongs to, by tables; then hosts, TLS, limits with real pods."""

import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from service.cluster.controllers import loadbalancer
from service.cluster.kube import DEPLOYMENTS, INGRESSES, NAMESPACES, SERVICES
from service.images import ingress_rules
from service.images.ingress import Limits
from tests.cluster.conftest import PYTHON, Cluster, eventually
from tests.cluster.objects import meta

Json = dict[str, Any]
CLASS = {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}


def backend(service: str, port: Any = 80) -> Json:
    key = "name" if isinstance(port, str) else "number"
    return {"service": {"name": service, "port": {key: port}}}


def rule(*paths: tuple[str, str, str], host: str = "a.example") -> Json:
    found = [{"path": p, "pathType": kind, "backend": backend(s)} for p, kind, s in paths]
    return {"host": host, "http": {"paths": found}}


def ingress(*rules: Json, name: str = "web", age_s: float = 60, **spec: Any) -> Json:
    body = {"ingressClassName": "nginx", "rules": list(rules), **spec}
    return {"metadata": meta(name, age_s=age_s), "spec": body}


def table(*ingresses: Json) -> ingress_rules.Table:
    return ingress_rules.build(ingresses, [CLASS], [], [])


def service_of(found: ingress_rules.Path | None) -> str | None:
    return found.service.split("-")[1] if found else None


PATHS = ingress(
    rule(("/", "Prefix", "root"), ("/api", "Prefix", "api"), ("/api/v2", "Prefix", "new"),
         ("/api", "Exact", "exact"), ("/old", "ImplementationSpecific", "old")),
    rule(("/", "Prefix", "star"), host="*.b.example"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("host", "path", "service"),
    [
        ("a.example", "/", "root"),
        ("A.example:8080", "/x", "root"),
        ("a.example", "/api", "exact"),
        ("a.example", "/api/", "api"),
        ("a.example", "/apiary", "root"),
        ("a.example", "/api/v2/x", "new"),
        ("a.example", "/old/x", "old"),
        ("one.b.example", "/", "star"),
        ("b.example", "/", None),
        ("two.one.b.example", "/", None),
        ("other", "/", None),
    ],
)
def test_which_service_a_request_belongs_to(host: str, path: str, service: str | None) -> None:
    assert service_of(table(PATHS).find(host, path)) == service


def test_the_default_backend_takes_what_is_left() -> None:
    spec = {"defaultBackend": backend("rest")}
    found = table(ingress(rule(("/api", "Prefix", "api")), **spec), ingress(name="all", **spec))
    assert service_of(found.find("a.example", "/x")) == "rest"
    assert service_of(found.find("elsewhere", "/")) == "rest"


def test_the_older_ingress_keeps_its_path() -> None:
    young = ingress(rule(("/", "Prefix", "young")), name="b", age_s=1)
    old = ingress(rule(("/", "Prefix", "old")), name="a", age_s=100)
    assert service_of(table(young, old).find("a.example", "/")) == "old"


def test_only_its_own_class_is_served() -> None:
    other = ingress(rule(("/", "Prefix", "x")), ingressClassName="traefik")
    assert table(other).find("a.example", "/") is None
    none = ingress(rule(("/", "Prefix", "x")), ingressClassName=None)
    assert table(none).find("a.example", "/") is None
    key = "ingressclass.kubernetes.io/is-default-class"
    usual = {**CLASS, "metadata": {"name": "nginx", "annotations": {key: "true"}}}
    assert ingress_rules.build([none], [usual], [], []).find("a.example", "/") is not None


def test_annotations_are_read_and_bad_ones_ignored() -> None:
    notes = {"limit-rps": "100", "limit-connections": "x", "proxy-body-size": "50m"}
    notes |= {"proxy-read-timeout": "30", "ssl-redirect": "false"}
    made = ingress()
    made["metadata"]["annotations"] = {
        f"nginx.ingress.kubernetes.io/{k}": v for k, v in notes.items()
    }
    found = ingress_rules.settings_of(made)
    assert (found.requests_per_s, found.connections, found.body) == (100, None, 50 * 2**20)
    assert (found.read_s, found.redirect) == (30, False)


@given(st.text("ab/", max_size=8), st.text("ab/", max_size=8))
def test_a_prefix_ends_at_a_slash(path: str, asked: str) -> None:
    one = ingress_rules.Path(f"/{path}", "Prefix", "", "", (), ingress_rules.Settings())
    parts, wanted = one.path.rstrip("/").split("/"), f"/{asked}".split("/")
    assert one.matches(f"/{asked}") == (wanted[: len(parts)] == parts)


def test_a_client_has_its_rate_with_a_burst() -> None:
    settings = ingress_rules.Settings(requests_per_s=2, connections=1)
    path, limits = ingress_rules.Path("/", "Prefix", "x", "", (), settings), Limits()
    assert sum(limits.admits(path, "one", 0.0) for _ in range(50)) == 11
    assert limits.admits(path, "other", 0.0)
    assert sum(limits.admits(path, "one", 2.0) for _ in range(50)) == 4
    with limits.connection(path, "one") as first, limits.connection(path, "one") as second:
        assert (first, second) == (True, False)


def test_a_load_balancer_has_the_services_address() -> None:
    spec = {"type": "LoadBalancer", "clusterIP": "127.64.128.2"}
    assert loadbalancer.addresses({"spec": spec}) == [{"ip": "127.64.128.2", "ipMode": "VIP"}]
    assert loadbalancer.addresses({"spec": {**spec, "type": "ClusterIP"}}) == []


# --- with pods ----------------------------------------------------------------------------------

MANIFEST = Path(ingress_rules.__file__).parents[1] / "deploy/overlays/embedded/ingress.yaml"
NS = "ingress-nginx"
# Tells what it was asked, as JSON; /slow is slow.
ECHO = """
import http.server, json, os, sys, time
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        length = int(self.headers.get("content-length", 0))
        told = {"name": sys.argv[1], "path": self.path, "length": len(self.rfile.read(length))}
        told["headers"] = {k.lower(): v for k, v in self.headers.items()}
        if self.path == "/slow": time.sleep(3)
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8000), Echo).serve_forever()
"""
ADDRESS = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


class Front:
    """The ingress controller's address, seen from outside."""

    def __init__(self, address: str, authority: trustme.CA) -> None:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        self._address = address
        self._http = httpx.Client(verify=context, trust_env=False, timeout=10)

    def ask(self, url: str, method: str = "GET", **more: Any) -> httpx.Response:
        """As if the host's name led to the controller."""
        asked = httpx.URL(url)
        host = asked.host
        request = self._http.build_request(
            method, asked.copy_with(host=self._address), headers={"host": host}, **more
        )
        request.extensions["sni_hostname"] = host
        return self._http.send(request)


@pytest.fixture(scope="module")
def front(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    authority, place = trustme.CA(), tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("safe.example")
    issued.private_key_pem.write_to_path(place / "key")
    issued.cert_chain_pems[0].write_to_path(place / "crt")
    kube, home = cluster.kube, cluster.namespace
    with ExitStack() as stack:
        cluster.said("apply", "-n", NS, "-f", str(MANIFEST))
        stack.callback(kube.delete, NAMESPACES, NS)
        pair = (f"--cert={place / 'crt'}", f"--key={place / 'key'}")
        cluster.said("create", "secret", "tls", "safe", *pair)
        for name in ("blue", "green"):
            command = ["python3", "-u", "-c", ECHO, name]
            ready = {"tcpSocket": {"port": 8000}, "periodSeconds": 1}
            container = {"image": PYTHON, "command": command, "env": [ADDRESS]}
            stack.enter_context(cluster.pod(name, {**container, "readinessProbe": ready}))
            ports = [{"port": 80, "targetPort": 8000}]
            body = {"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports}}
            kube.create(SERVICES, body, home)
        rules = [
            rule(("/", "Prefix", "blue"), ("/green", "Prefix", "green"), host="plain.example"),
            rule(("/", "Prefix", "blue"), host="safe.example"),
            rule(("/", "Prefix", "nobody"), host="empty.example"),
        ]
        tls = [{"hosts": ["safe.example"], "secretName": "safe"}]
        note = "nginx.ingress.kubernetes.io/"
        limits = {f"{note}proxy-read-timeout": "1", f"{note}proxy-body-size": "1k"}
        made = {
            "metadata": {"name": "web", "annotations": limits},
            "spec": {"ingressClassName": "nginx", "rules": rules, "tls": tls},
        }
        kube.create(INGRESSES, made, home)
        stack.callback(kube.delete, INGRESSES, "web", home)
        eventually(lambda: cluster.is_ready("blue") and cluster.is_ready("green"))
        controller = "ingress-nginx-controller"
        up = lambda: kube.get(DEPLOYMENTS, controller, NS).get("status", {}).get("readyReplicas")  # noqa: E731
        eventually(up)
        status = kube.get(SERVICES, controller, NS)["status"]
        yield Front(status["loadBalancer"]["ingress"][0]["ip"], authority)


def told(response: httpx.Response) -> Json:
    assert response.status_code == 200, response.text
    found: Json = json.loads(response.text)
    return found


@pytest.mark.slow
def test_requests_reach_their_service(cluster: Cluster, front: Front) -> None:
    eventually(lambda: front.ask("http://plain.example/").status_code == 200)
    blue = told(front.ask("http://plain.example/x?y=1"))
    assert (blue["name"], blue["path"]) == ("blue", "/x?y=1")
    assert blue["headers"]["host"] == "plain.example"
    assert blue["headers"]["x-forwarded-proto"] == "http"
    assert told(front.ask("http://plain.example/green/y"))["name"] == "green"
    assert told(front.ask("http://plain.example/", "POST", content=b"x" * 1000))["length"] == 1000
    row = eventually(
        lambda: (r := cluster.said("get", "ingress", "web", "--no-headers").split())[3] and r
    )
    assert row[:3] == ["web", "nginx", "plain.example,safe.example,empty.example"]
    assert row[3].startswith("127.")
    assert "Scheduled for sync" in cluster.said("describe", "ingress", "web")


@pytest.mark.slow
def test_what_cannot_be_answered_has_nginx_codes(front: Front) -> None:
    eventually(lambda: front.ask("http://plain.example/").status_code == 200)
    unknown = front.ask("http://unknown.example/")
    assert (unknown.status_code, unknown.text) == (404, "default backend - 404")
    assert front.ask("http://empty.example/").status_code == 503
    assert front.ask("http://plain.example/slow").status_code == 504
    assert front.ask("http://plain.example/", "POST", content=b"x" * 1025).status_code == 413


@pytest.mark.slow
def test_tls_ends_at_the_ingress_with_the_secrets_certificate(front: Front) -> None:
    eventually(lambda: front.ask("http://plain.example/").status_code == 200)
    moved = front.ask("http://safe.example/x")
    assert (moved.status_code, moved.headers["location"]) == (308, "https://safe.example/x")
    safe = told(front.ask("https://safe.example/x"))
    assert (safe["name"], safe["headers"]["x-forwarded-proto"]) == ("blue", "https")


@pytest.mark.slow
def test_a_service_that_loses_its_pods_is_unavailable(cluster: Cluster, front: Front) -> None:
    eventually(lambda: front.ask("http://plain.example/green").status_code == 200)
    away = {"spec": {"selector": {"app": "none"}}}
    cluster.kube.patch(SERVICES, "green", away, cluster.namespace)
    eventually(lambda: front.ask("http://plain.example/green").status_code == 503)
    back = {"spec": {"selector": {"app": "green"}}}
    cluster.kube.patch(SERVICES, "green", back, cluster.namespace)
    eventually(lambda: front.ask("http://plain.example/green").status_code == 200)
