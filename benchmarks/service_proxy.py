"""The cluster's service proxy beside nginx (`stream`), over the same pods.

    python benchmarks/service_proxy.py [--seconds 3] [--rounds 3]

Needs nginx and wrk (Debian: apt-get install nginx libnginx-mod-stream wrk). Two pods that answer as
fast as Python can stand behind a Service; nginx has their addresses as its upstream. Every round
measures each way once, in turn: straight to one pod, through nginx, through the proxy; with
connections that are kept, and with a new one for each request.
"""

import argparse
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from service.cluster import embedded
from service.cluster.kube import CONFIGMAPS, DEPLOYMENTS, PODS, SERVICES, Json, Kube

CONNECTIONS = 64
POD = """
import asyncio, os, uvloop
class Answer(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        close = b"close" in data
        self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
        if close: self.transport.close()
async def main():
    server = await asyncio.get_running_loop().create_server(Answer, os.environ["POD_IP"], 8000)
    await server.serve_forever()
uvloop.run(main())
"""


def deploy(kube: Kube) -> tuple[str, list[str]]:
    """(the Service's address, the pods' addresses), all ready."""
    labels = {"app": "fast"}
    container: Json = {
        "name": "c",
        "image": "python:3.12",
        "command": ["python3", "/srv/pod.py"],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
        "volumeMounts": [{"name": "srv", "mountPath": "/srv"}],
    }
    volume = {"name": "srv", "configMap": {"name": "fast"}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    template["spec"]["volumes"] = [volume]
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    kube.create(CONFIGMAPS, {"metadata": {"name": "fast"}, "data": {"pod.py": POD}}, "default")
    kube.create(DEPLOYMENTS, {"metadata": {"name": "fast"}, "spec": spec}, "default")
    ports = [{"port": 80, "targetPort": 8000}]
    service = {"metadata": {"name": "fast"}, "spec": {"selector": labels, "ports": ports}}
    address = kube.create(SERVICES, service, "default")["spec"]["clusterIP"]
    deadline = time.monotonic() + 60
    while True:
        pods = kube.list(PODS, "default", labels="app=fast")["items"]
        conditions = [c for p in pods for c in (p.get("status") or {}).get("conditions", [])]
        if sum(c["type"] == "Ready" and c["status"] == "True" for c in conditions) == 2:
            break
        assert time.monotonic() < deadline, "the pods do not get ready"
        time.sleep(0.1)
    answers(address, 80)
    return address, [p["status"]["podIP"] for p in pods]


def answers(host: str, port: int) -> None:
    """Return as soon as something does."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with socket.create_connection((host, port), timeout=1) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
                if connection.recv(1):
                    return
        except OSError:
            pass
        assert time.monotonic() < deadline, f"nothing answers at {host}:{port}"
        time.sleep(0.05)


@contextmanager
def nginx(directory: Path, pods: list[str]) -> Iterator[int]:
    """nginx in front of the pods; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    load = f"load_module {module};\n" if Path(module).exists() else ""
    servers = "".join(f"server {address}:8000;" for address in pods)
    (directory / "nginx.conf").write_text(
        f"{load}daemon off; worker_processes 1; pid {directory}/pid;\n"
        f"error_log {directory}/error.log;\nevents {{ worker_connections 4096; }}\n"
        f"stream {{ upstream pods {{ {servers} }}\n"
        f"server {{ listen 127.0.0.1:{port} backlog=1024; proxy_pass pods; }} }}\n"
    )
    with subprocess.Popen(["nginx", "-c", str(directory / "nginx.conf")]) as process:
        try:
            answers("127.0.0.1", port)
            yield port
        finally:
            process.terminate()


def wrk(url: str, seconds: float, *, keep: bool) -> tuple[float, float]:
    """(requests/s, median latency in ms)."""
    header = [] if keep else ["-H", "Connection: close"]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--latency", *header, url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec: +([\d.]+)", said)
    median = re.search(r"50% +([\d.]+)(us|ms|s)", said)
    assert rate and median, said  # noqa: PT018
    return float(rate[1]), float(median[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[median[2]]


def run(options: argparse.Namespace, directory: Path) -> None:
    cluster = directory / "cluster"
    try:
        info = embedded.up(deploy_service=False, directory=cluster)
        address, pods = deploy(Kube.connect(str(info.kubeconfig)))
        with nginx(directory, pods) as port:
            ways = {
                "one pod itself": f"http://{pods[0]}:8000/",
                "nginx": f"http://127.0.0.1:{port}/",
                "service proxy": f"http://{address}/",
            }
            ratios = []
            for keep in (True, False):
                found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
                for _ in range(options.rounds):
                    for way, url in ways.items():
                        found[way].append(wrk(url, options.seconds, keep=keep))
                print("connections kept" if keep else "a new connection for each request")
                for way, measured in found.items():
                    rate, wait = (
                        statistics.median(column) for column in zip(*measured, strict=True)
                    )
                    print(f"  {way:16} {rate:9,.0f}/s   median {wait:6.2f} ms")
                    ratios.append((rate, wait))
        (_, kept_nginx, kept), (_, new_nginx, new) = ratios[:3], ratios[3:]
        print(
            f"summary: of nginx' rate {kept[0] / kept_nginx[0]:.2f} with kept connections,"
            f" {new[0] / new_nginx[0]:.2f} with new ones; of its latency"
            f" {kept[1] / kept_nginx[1]:.2f} and {new[1] / new_nginx[1]:.2f}"
        )
    finally:
        embedded.down(cluster)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    missing = [program for program in ("nginx", "wrk") if shutil.which(program) is None]
    if missing:
        sys.exit(
            f"{' and '.join(missing)} not found: apt-get install nginx libnginx-mod-stream wrk"
        )
    with tempfile.TemporaryDirectory() as directory:
        run(options, Path(directory))


if __name__ == "__main__":
    main()
