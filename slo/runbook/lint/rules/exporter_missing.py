"""Metrics of a well-known exporter that the manifests do not deploy or scrape."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Need, Problem, Rule
from slo.runbook.lint.objects import Objects
from slo.runbook.promql import selectors

# Prefix of the metrics; what runs or is scraped where they come from; its name.
EXPORTERS = (
    (
        re.compile(r"kube_(?!apiserver|proxy)"),
        re.compile(r"kube-state-metrics"),
        "kube-state-metrics",
    ),
    (
        re.compile(r"container_"),
        re.compile(r"cadvisor|kubelet"),
        "cAdvisor (a scrape of the kubelets)",
    ),
    (re.compile(r"node_"), re.compile(r"node-?exporter"), "the node exporter"),
    (re.compile(r"nginx_ingress_"), re.compile(r"ingress-nginx|nginx-ingress"), "ingress-nginx"),
    (re.compile(r"redis_"), re.compile(r"redis[-_]exporter"), "the Redis exporter"),
    (re.compile(r"pg_"), re.compile(r"postgres[-_]exporter"), "the PostgreSQL exporter"),
    (re.compile(r"mysql_"), re.compile(r"mysqld?[-_]exporter"), "the MySQL exporter"),
    (re.compile(r"probe_"), re.compile(r"blackbox"), "the blackbox exporter"),
)


def check(context: Context) -> Iterator[Problem]:
    objects = context.objects
    if objects is None or context.metrics is not None or not _scrapes(objects):
        return  # Prometheus itself knows better, and elsewhere may be scraped what is not here
    for expression in context.expressions:
        asked = selectors(expression.tree) if expression.tree else []
        for name in dict.fromkeys(s.name for s in asked):
            for prefix, source, title in EXPORTERS:
                if prefix.match(name) and not source.search(objects.text):
                    yield Problem(
                        line=expression.line,
                        message=f"{expression.quoted} asks for {name}, and nothing in"
                        f" {objects.origin} deploys or scrapes {title}",
                        suggestion=f"deploy {title}, or ask for a metric that is there",
                    )


def _scrapes(objects: Objects) -> bool:
    return "scrape_configs" in objects.text


RULE = Rule(
    id="exporter-missing",
    level=Level.ERROR,
    title="The exporter of a metric is not deployed",
    why="No data is no alert: an alert on a metric that does not exist never fires.",
    check=check,
    needs=frozenset((Need.OBJECTS,)),
)
