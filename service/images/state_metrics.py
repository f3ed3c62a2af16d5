"""Stands in for kube-state-metrics: the state of Kubernetes objects as Prometheus series.

Names, labels and units are those of kube-state-metrics 2 (docs/metrics in its repository), for
the part that availability and capacity are judged by. An ordinary API client: in a pod it uses
the service account, elsewhere `--kubeconfig`, both flags of the original.
"""

import argparse
import signal
import threading
from collections.abc import Collection, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from service.cluster.informer import Informer
from service.cluster.kube import Json, Kube, Resource
from service.images.state_families import FAMILIES, Labels


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _line(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {int(value) if value == int(value) else value}\n"


def render(held: Mapping[Resource, Iterable[Json]]) -> str:
    """The resources' families in Prometheus' text format, from the objects of each resource."""
    parts: list[str] = []
    for family in FAMILIES:
        if family.resource not in held:
            continue
        parts.append(f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.type}\n")
        for obj in held[family.resource]:
            parts += [_line(family.name, labels, value) for labels, value in family.samples(obj)]
    return "".join(parts)


class _Handler(BaseHTTPRequestHandler):
    informers: dict[Resource, Informer]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # the name is http.server's
        synced = all(i.synced.is_set() for i in self.informers.values())
        match self.path.partition("?")[0]:
            case "/metrics" if synced:
                text = render({r: i.list() for r, i in self.informers.items()})
                self._answer(200, text, "text/plain; version=0.0.4; charset=utf-8")
            case "/healthz" | "/livez":
                self._answer(200, "OK")
            case "/readyz" if synced:
                self._answer(200, "OK")
            case "/metrics" | "/readyz":
                self._answer(503, "The first list of the objects is still under way.\n")
            case _:
                self._answer(404, "Not found\n")

    def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A line for each scrape would only fill the pod's log."""


RESOURCES: Mapping[str, Resource] = {f.resource.plural: f.resource for f in FAMILIES}


def serve(
    kube: Kube, host: str, port: int, resources: Collection[str] = tuple(RESOURCES)
) -> ThreadingHTTPServer:
    """A server that is bound and follows the objects; the caller runs serve_forever().

    `resources` are plural names, of those in RESOURCES.
    """
    informers = {RESOURCES[r]: Informer(kube, RESOURCES[r]).start() for r in resources}
    handler = type("Handler", (_Handler,), {"informers": informers})
    return ThreadingHTTPServer((host, port), handler)


def main() -> None:
    parser = argparse.ArgumentParser(prog="kube-state-metrics", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--kubeconfig", help="default: the pod's service account")
    parser.add_argument("--resources", help=f"comma-separated; default: {','.join(RESOURCES)}")
    options = parser.parse_args()
    resources = options.resources.split(",") if options.resources else list(RESOURCES)
    if unknown := set(resources) - set(RESOURCES):
        parser.error(f"--resources: {', '.join(sorted(unknown))} not known")
    server = serve(Kube.connect(options.kubeconfig), options.host, options.port, resources)
    server.daemon_threads = True
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
