"""What a team has on its cluster: a Deployment, a Service, and Prometheus elsewhere."""

from typing import Any

Manifest = dict[str, Any]
MONITORING = "monitoring"
_OWN_ADDRESS = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
_CONFIG = """\
global: {scrape_interval: 2s}
scrape_configs:
  - job_name: pods
    kubernetes_sd_configs: [{role: pod}]
    relabel_configs:
      - {source_labels: [__meta_kubernetes_pod_container_port_name], regex: http, action: keep}
      - {source_labels: [__meta_kubernetes_pod_phase], regex: Running, action: keep}
      - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
      - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
      - {source_labels: [__meta_kubernetes_pod_label_app], target_label: app}
"""


def namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def shop(where: str, name: str, image: str, ready: str) -> list[Manifest]:
    """Two pods behind a Service."""
    return [
        namespace(where),
        _service(where, name, name, 80, 8000),
        _deployment(
            where,
            name,
            replicas=2,
            container={
                "name": "web",
                "image": image,
                "env": [_OWN_ADDRESS],
                "ports": [{"name": "http", "containerPort": 8000}],
                "readinessProbe": {
                    "httpGet": {"path": ready, "port": 8000},
                    "periodSeconds": 1,
                },
            },
        ),
    ]


def worker(where: str, name: str, image: str) -> list[Manifest]:
    """Two pods that no Service leads to; they are scraped, though."""
    return [
        namespace(where),
        _deployment(
            where,
            name,
            replicas=2,
            container={
                "name": "worker",
                "image": image,
                "env": [_OWN_ADDRESS],
                "ports": [{"name": "http", "containerPort": 8000}],
                "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
            },
        ),
    ]


def prometheus() -> list[Manifest]:
    """One for the whole cluster, which finds pods by the name of their port."""
    account = {"kind": "ServiceAccount", "name": "prometheus", "namespace": MONITORING}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "prometheus"}
    container = {
        "name": "prometheus",
        "image": "prom/prometheus:v2.53.0",
        "args": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            "--web.listen-address=$(POD_IP):9090",
        ],
        "env": [_OWN_ADDRESS],
        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/prometheus"},
            {"name": "data", "mountPath": "/prometheus"},
        ],
    }
    volumes = [
        {"name": "config", "configMap": {"name": "prometheus"}},
        {"name": "data", "emptyDir": {}},
    ]
    return [
        namespace(MONITORING),
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "prometheus", "namespace": MONITORING},
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "prometheus"},
            "rules": [
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "prometheus"},
            "roleRef": role,
            "subjects": [account],
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "prometheus", "namespace": MONITORING},
            "data": {"prometheus.yml": _CONFIG},
        },
        _service(MONITORING, "prometheus", "prometheus", 9090, 9090),
        _deployment(
            MONITORING,
            "prometheus",
            replicas=1,
            container=container,
            more={"serviceAccountName": "prometheus", "volumes": volumes},
        ),
    ]


def _service(where: str, name: str, app: str, port: int, target: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": where, "labels": {"app": app}},
        "spec": {
            "selector": {"app": app},
            "ports": [{"name": "http", "port": port, "targetPort": target}],
        },
    }


def _deployment(
    where: str, app: str, *, replicas: int, container: Manifest, more: Manifest | None = None
) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": app, "namespace": where, "labels": {"app": app}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": app}},
            "template": {
                "metadata": {"labels": {"app": app}},
                "spec": {"containers": [container], **(more or {})},
            },
        },
    }
