"""What a cluster has, as the lint of a runbook looks at it: objects by kind and name."""

from http import HTTPStatus

from chaos.kube import Cluster, ClusterError, kinds
from slo.runbook.lint.objects import KubeObject, Objects

_MORE = (
    kinds.Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    kinds.Kind("networking.k8s.io/v1", "Ingress", "ingresses"),
    kinds.Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    kinds.Kind("batch/v1", "CronJob", "cronjobs"),
    # Custom resources: there only where somebody installed them.
    kinds.Kind("autoscaling.k8s.io/v1", "VerticalPodAutoscaler", "verticalpodautoscalers"),
    kinds.Kind("cert-manager.io/v1", "Certificate", "certificates"),
)
_LOOKED_AT = (
    "ConfigMap Namespace PersistentVolumeClaim Pod Secret Service ServiceAccount Deployment"
    " StatefulSet DaemonSet Job NetworkPolicy"
)


def inventory(cluster: Cluster) -> Objects:
    """All objects of the kinds that runbooks name, of Secrets and ConfigMaps the names alone.

    A kind that may not be listed is one of which nothing is known. Raises ClusterError when the
    cluster does not answer.
    """
    found: list[KubeObject] = []
    unknown: set[str] = set()
    where = f"the cluster at {cluster.server}"
    for kind in (*(kinds.KINDS[name] for name in _LOOKED_AT.split()), *_MORE):
        try:
            listed = cluster.objects(kind)
        except ClusterError as error:
            if error.status == HTTPStatus.FORBIDDEN:
                unknown.add(kind.kind)
            elif error.status != HTTPStatus.NOT_FOUND:
                raise
            continue
        for body in listed:
            meta = body["metadata"]
            secret = kind.kind in {"Secret", "ConfigMap"}
            found.append(
                KubeObject(
                    kind=kind.kind,
                    name=meta["name"],
                    namespace=meta.get("namespace", ""),
                    body={"metadata": {"name": meta["name"]}} if secret else body,
                    where=where,
                )
            )
    return Objects(where, tuple(found), live=True, unknown=frozenset(unknown))
