"""Commands and options that programs had once, and what took their place.

Each names the version that dropped it. Sources: Kubernetes changelogs (1.18 run generators); Helm 3
FAQ; etcd 3 (v2 store). Neo4j's stand in slo.runbook.lint.neo4j.
"""

import re

from slo.runbook.lint import neo4j
from slo.runbook.lint.commands import verb_first
from slo.runbook.lint.replacement import Instead, Removed
from slo.runbook.lint.versions import version


def _any(  # noqa: PLR0917 - rows of a table
    pattern: str,
    what: str,
    since: str,
    instead: str,
    example: str,
    put: tuple[str, str] | None = None,
) -> Removed:
    kubernetes = re.fullmatch(r"(?:kubectl|Kubernetes) since (\d+\.\d+)", since)
    return Removed(
        kubernetes=version(kubernetes[1]) if kubernetes else None,
        pattern=re.compile(pattern),
        what=what,
        since=since,
        instead=Instead(note=instead),
        example=example,
        put=put,
    )


REMOVED = (
    *neo4j.REMOVED,
    _any(
        r"^kubectl .*--generator\b",
        "kubectl run --generator",
        "kubectl since 1.18",
        "kubectl run without it makes a pod; kubectl create deployment and such make the others",
        "kubectl run x --image=y --generator=run-pod/v1",
    ),
    _any(
        r"^kubectl get .*--export\b",
        "kubectl get --export",
        "kubectl since 1.18",
        "kubectl get -o yaml",
        "kubectl get pod x --export",
    ),
    _any(
        r"^kubectl rolling-update\b",
        "kubectl rolling-update",
        "kubectl since 1.18",
        "a Deployment, and kubectl rollout",
        "kubectl rolling-update a b",
    ),
    _any(
        r"^kubectl drain .*--delete-local-data\b",
        "kubectl drain --delete-local-data",
        "kubectl since 1.31",
        "--delete-emptydir-data",
        "kubectl drain n --delete-local-data",
        ("--delete-local-data", "--delete-emptydir-data"),
    ),
    _any(
        r"^kubectl get .*--show-all\b",
        "kubectl get --show-all",
        "kubectl since 1.14",
        "nothing: all pods are shown",
        "kubectl get pods --show-all",
        (" --show-all", ""),
    ),
    _any(
        r"^kubectl (?:get|describe) (?:podsecuritypolic(?:y|ies)|psp)\b",
        "PodSecurityPolicy",
        "Kubernetes since 1.25",
        "Pod Security admission: labels on the namespace",
        "kubectl get psp",
    ),
    _any(
        r"^kubectl .*\b(?:ingress(?:es)?|deployments?|daemonsets?|replicasets?)(?:\.v1beta1)?"
        r"\.extensions\b",
        "the API group extensions",
        "Kubernetes since 1.22",
        "networking.k8s.io for Ingress, apps for workloads",
        "kubectl get ingress.extensions",
    ),
    _any(
        r"^helm install .*--name(?![-\w])",
        "helm install --name",
        "Helm 3",
        "helm install NAME CHART",
        "helm install --name web ./web",
    ),
    _any(
        r"^helm .*--tiller-(?:namespace|connection)",
        "an option of Tiller",
        "Helm 3",
        "nothing: there is no Tiller",
        "helm ls --tiller-namespace kube-system",
    ),
    _any(
        r"^helm (?:init|home|reset)\b",
        "helm init",
        "Helm 3",
        "nothing: there is no Tiller",
        "helm init",
    ),
    _any(
        r"^helm (?:delete|del) .*--purge\b",
        "helm delete --purge",
        "Helm 3",
        "helm uninstall",
        "helm delete x --purge",
    ),
    _any(
        r"^kubectl version .*--short\b",
        "kubectl version --short",
        "kubectl since 1.28",
        "kubectl version, which is short by itself",
        "kubectl version --short",
        (" --short", ""),
    ),
    _any(
        r"^kubectl convert\s",
        "kubectl convert",
        "kubectl since 1.20",
        "the plugin kubectl-convert",
        "kubectl convert -f a.yaml",
    ),
    _any(
        r"^kubectl alpha (debug|events|diff)\b",
        r"kubectl alpha \1",
        "kubectl since 1.26",
        "the same without alpha",
        "kubectl alpha debug x",
    ),
    _any(
        r"^etcdctl backup\b",
        "etcdctl backup",
        "etcd 3.6",
        "etcdctl snapshot save",
        "etcdctl backup",
    ),
    _any(
        r"^etcdctl cluster-health\b",
        "etcdctl cluster-health",
        "etcd 3.6",
        "etcdctl endpoint health --cluster",
        "etcdctl cluster-health",
    ),
)


def was_removed(command: str) -> bool:
    """Is it a call of the shell that the table above knows to be gone?"""
    text = " ".join(verb_first(tuple(command.split(" "))))
    return any(not row.cypher and row.pattern.search(text) for row in REMOVED)
