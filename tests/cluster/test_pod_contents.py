"""What containers find: environment, volumes of every kind, limits; and the node that has them."""

import base64
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.cluster.agent.downward import Facts, resource
from service.cluster.agent.publish import File, publish
from service.cluster.kube import CONFIGMAPS, NODES, PVCS, SECRETS
from tests.cluster.conftest import PYTHON, Cluster, eventually

slow = pytest.mark.slow
cluster_test = pytest.mark.cluster

NAMES = st.from_regex(r"[a-z]{1,4}(/[a-z]{1,4})?", fullmatch=True)
CONTENTS = st.dictionaries(NAMES, st.binary(max_size=20), max_size=5).filter(
    lambda files: not any(f"{a}/" in b for a in files for b in files)
)


@settings(deadline=None, max_examples=40)  # a disk may take its time
@given(st.lists(CONTENTS, min_size=1, max_size=4))
def test_published_files_are_always_those_of_the_last_time(
    versions: list[dict[str, bytes]],
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for files in versions:
            publish(folder, {k: File(v, 0o640) for k, v in files.items()})
        shown = {
            str(p.relative_to(folder)): p.read_bytes()
            for top in folder.iterdir()
            if not top.name.startswith("..")
            for p in (top.rglob("*") if top.is_dir() else [top])
            if p.is_file()
        }
        assert shown == versions[-1]
        assert len([p for p in folder.iterdir() if p.name.startswith("..")]) == 2


def test_resources_are_told_in_units_of_their_divisor() -> None:
    facts = Facts("127.1.2.3", "127.1.2.1", {"cpu": "2", "memory": "4Gi"})
    container = {"resources": {"limits": {"cpu": "1500m", "memory": "100Mi"}}}

    def told(name: str, divisor: str = "") -> str:
        return resource({"resource": name, "divisor": divisor}, container, facts)

    assert told("limits.cpu") == "2"
    assert told("limits.cpu", "1m") == "1500"
    assert told("limits.memory") == str(100 * 2**20)
    assert told("limits.memory", "1Mi") == "100"
    assert told("requests.cpu") == "0"
    assert resource({"resource": "limits.memory"}, {}, facts) == str(4 * 2**30)


@given(st.integers(1, 10**6), st.integers(1, 10**4))
def test_resources_are_rounded_up(milli: int, divisor: int) -> None:
    container = {"resources": {"limits": {"cpu": f"{milli}m"}}}
    source = {"resource": "limits.cpu", "divisor": f"{divisor}m"}
    assert resource(source, container, Facts("", "", {})) == str(math.ceil(milli / divisor))


@slow
@cluster_test
def test_the_environment_comes_from_everywhere(cluster: Cluster) -> None:
    kube, home = cluster.kube, cluster.namespace
    kube.create(CONFIGMAPS, {"metadata": {"name": "plain"}, "data": {"A": "1", "B": "2"}}, home)
    secret = {"metadata": {"name": "hidden"}, "data": {"C": base64.b64encode(b"3").decode()}}
    kube.create(SECRETS, secret, home)

    def field(path: str) -> dict[str, object]:
        return {"valueFrom": {"fieldRef": {"fieldPath": path}}}

    container = {
        "envFrom": [
            {"configMapRef": {"name": "plain"}},
            {"secretRef": {"name": "hidden"}, "prefix": "S_"},
            {"configMapRef": {"name": "nowhere", "optional": True}},
        ],
        "env": [
            {"name": "B", "value": "mine"},
            {"name": "D", "value": "$(A)-$(NONE)-$$(A)"},
            {"name": "POD", **field("metadata.name")},
            {"name": "NODE", **field("spec.nodeName")},
            {"name": "HOST", **field("status.hostIP")},
            {"name": "IP", **field("status.podIP")},
            {"name": "ACCOUNT", **field("spec.serviceAccountName")},
            {"name": "LABEL", **field("metadata.labels['app']")},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "C"}}},
            {
                "name": "MIB",
                "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}},
            },
            {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
        "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
    }
    with cluster.pod("env", container) as name:
        eventually(lambda: cluster.is_ready(name))
        pod = cluster.get(name)
        lines = cluster.said("exec", name, "--", "env").splitlines()
        env = dict(line.split("=", 1) for line in lines if "=" in line)
        expected = {"A": "1", "B": "mine", "S_C": "3", "D": "1-$(NONE)-$(A)", "KEY": "3"}
        expected |= {"POD": name, "NODE": pod["spec"]["nodeName"], "LABEL": "env"}
        expected |= {"HOST": pod["status"]["hostIP"], "IP": pod["status"]["podIP"]}
        expected |= {"ACCOUNT": "default", "MIB": "64", "CPUS": "1"}
        assert {k: env.get(k) for k in expected} == expected


@slow
@cluster_test
def test_volumes_of_every_kind(cluster: Cluster) -> None:
    kube, home = cluster.kube, cluster.namespace
    data = {"one": "first", "two": "second"}
    kube.create(CONFIGMAPS, {"metadata": {"name": "texts"}, "data": data}, home)
    secret = {"metadata": {"name": "keys"}, "data": {"key": base64.b64encode(b"\x00k").decode()}}
    kube.create(SECRETS, secret, home)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    kube.create(PVCS, {"metadata": {"name": "kept"}, "spec": spec}, home)
    labels = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
    limit = {"containerName": "c", "resource": "limits.memory", "divisor": "1Mi"}
    token = {"path": "token", "expirationSeconds": 600, "audience": "someone"}
    volumes = [
        {"name": "texts", "configMap": {"name": "texts"}},
        {
            "name": "chosen",
            "configMap": {"name": "texts", "items": [{"key": "two", "path": "a/b", "mode": 0o400}]},
        },
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o440}},
        {"name": "empty", "emptyDir": {}},
        {"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}},
        {"name": "host", "hostPath": {"path": "/etc", "type": "Directory"}},
        {
            "name": "self",
            "downwardAPI": {"items": [labels, {"path": "mib", "resourceFieldRef": limit}]},
        },
        {
            "name": "all",
            "projected": {
                "sources": [
                    {"configMap": {"name": "texts", "items": [{"key": "one", "path": "one"}]}},
                    {"secret": {"name": "keys"}},
                    {"downwardAPI": {"items": [labels]}},
                    {"serviceAccountToken": token},
                ]
            },
        },
    ]
    mounts = [{"name": v["name"], "mountPath": f"/v/{v['name']}"} for v in volumes]
    mounts += [
        {"name": "texts", "mountPath": "/v/single", "subPath": "one"},
        {"name": "empty", "mountPath": "/v/part", "subPathExpr": "of/$(WHO)"},
    ]
    container = {
        "volumeMounts": mounts,
        "env": [{"name": "WHO", "value": "mine"}],
        "resources": {"limits": {"memory": "64Mi"}},
    }
    with cluster.pod("vessel", container, volumes=volumes) as name:

        def shell(command: str) -> str:
            return cluster.said("exec", name, "--", "sh", "-c", command)

        eventually(lambda: cluster.is_ready(name))
        assert shell("cat /v/texts/one /v/chosen/a/b /v/single") == "firstsecondfirst"
        assert shell("ls /v/texts /v/chosen").split() == [
            "/v/chosen:",
            "a",
            "/v/texts:",
            "one",
            "two",
        ]
        assert shell("stat -L -c %a /v/chosen/a/b /v/keys/key").split() == ["400", "440"]
        assert shell("wc -c < /v/keys/key").strip() == "2"
        assert shell("cat /v/self/labels /v/self/mib") == 'app="vessel"64'
        assert shell("ls /v/all").split() == ["key", "labels", "one", "token"]
        assert shell("echo x > /v/part/file; cat /v/empty/of/mine/file") == "x\n"
        assert shell("test -e /v/host/passwd && echo there") == "there\n"
        read_only = cluster.kubectl("exec", name, "--", "touch", "/v/texts/new")
        assert "Read-only file system" in read_only.stderr
        shell("echo remembered > /v/kept/file")
    claims = [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}]
    reader = {"volumeMounts": [{"name": "kept", "mountPath": "/kept"}]}
    with cluster.pod("heir", reader, volumes=claims) as name:
        eventually(lambda: cluster.is_ready(name))
        assert cluster.said("exec", name, "--", "cat", "/kept/file") == "remembered\n"


@slow
@cluster_test
def test_a_changed_configmap_reaches_running_pods(cluster: Cluster) -> None:
    home = cluster.namespace
    body = {"metadata": {"name": "news"}, "data": {"text": "old"}}
    cluster.kube.create(CONFIGMAPS, body, home)
    volumes = [{"name": "news", "configMap": {"name": "news"}}]
    with cluster.pod(
        "reader", {"volumeMounts": [{"name": "news", "mountPath": "/news"}]}, volumes=volumes
    ) as name:
        eventually(lambda: cluster.is_ready(name))
        cluster.kube.patch(CONFIGMAPS, "news", {"data": {"text": "new"}}, home)
        read = ("exec", name, "--", "cat", "/news/text")
        eventually(lambda: cluster.said(*read) == "new", 150)
        # At once, long before the next minute is over, where somebody changes the pod.
        cluster.kube.patch(CONFIGMAPS, "news", {"data": {"text": "newer"}}, home)
        cluster.said("annotate", "pod", name, "read=again")
        eventually(lambda: cluster.said(*read) == "newer", 40)


BUSY = "import time\nend = time.time() + 6\nwhile time.time() < end: pass"


@slow
@cluster_test
def test_a_cpu_limit_is_felt_and_told(cluster: Cluster) -> None:
    limits = {"limits": {"cpu": "200m"}}
    container = {"image": PYTHON, "command": ["python3", "-c", BUSY], "resources": limits}
    with cluster.pod("held", container, restartPolicy="Never") as name:
        eventually(lambda: cluster.container(name).get("state", {}).get("running"))
        node = cluster.get(name)["spec"]["nodeName"]
        path = f"/api/v1/nodes/{node}/proxy/metrics/cadvisor"

        def told() -> dict[str, float]:
            found = {}
            for line in cluster.said("get", "--raw", path).splitlines():
                if f'pod="{name}"' in line and 'container="c"' in line:
                    found[line.partition("{")[0]] = float(line.split("} ")[1].split()[0])
            return found

        eventually(lambda: told().get("container_cpu_cfs_throttled_periods_total", 0) > 5)
        series = told()
        assert series["container_spec_cpu_quota"] == 20_000
        assert series["container_spec_cpu_period"] == 100_000
        assert series["container_cpu_cfs_throttled_seconds_total"] > 0
        assert series["container_memory_working_set_bytes"] > 0


@slow
@cluster_test
def test_nodes_say_what_they_have_and_how_they_are(cluster: Cluster) -> None:
    nodes = cluster.kube.list(NODES)["items"]
    assert len(nodes) >= 2
    for node in nodes:
        conditions = {c["type"]: c for c in node["status"]["conditions"]}
        assert conditions["Ready"]["status"] == "True"
        for pressure in ("MemoryPressure", "DiskPressure", "PIDPressure"):
            assert conditions[pressure]["status"] in ("True", "False")
        for resource_name in ("cpu", "memory", "ephemeral-storage", "pods"):
            assert node["status"]["capacity"][resource_name]
            assert node["status"]["allocatable"][resource_name]
    described = cluster.said("describe", "node", nodes[0]["metadata"]["name"])
    assert "KubeletHasSufficientMemory" in described
    lease = json.loads(
        cluster.said(
            "get", "lease", nodes[0]["metadata"]["name"], "-n", "kube-node-lease", "-o", "json"
        )
    )
    assert lease["spec"]["leaseDurationSeconds"] == 40
