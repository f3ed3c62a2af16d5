"""Whether a workload of any kind is as its author wants it, from its own account."""

import pytest

from chaos.kube import Json
from chaos.kube.views import unsettled, with_tag

ROLLING = {"type": "RollingUpdate"}


def workload(kind: str, status: Json, **spec: object) -> Json:
    labels = {"matchLabels": {"app": "shop"}}
    metadata = {"name": "shop", "namespace": "shop", "generation": 3}
    status = {"observedGeneration": 3, **status}
    return {
        "kind": kind,
        "metadata": metadata,
        "spec": {"selector": labels, **spec},
        "status": status,
    }


FULL = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
ON_NODES = {
    "desiredNumberScheduled": 2,
    "currentNumberScheduled": 2,
    "updatedNumberScheduled": 2,
    "numberReady": 2,
}


@pytest.mark.parametrize(
    ("kind", "status", "spec", "said"),
    [
        ("Deployment", FULL, {"replicas": 2}, ""),
        ("StatefulSet", FULL, {"replicas": 2, "updateStrategy": ROLLING}, ""),
        ("DaemonSet", ON_NODES, {"updateStrategy": ROLLING}, ""),
        ("Deployment", {}, {"replicas": 0}, ""),
        ("Deployment", FULL | {"observedGeneration": 2}, {"replicas": 2}, "has not seen"),
        ("Deployment", FULL | {"updatedReplicas": 1}, {"replicas": 2}, "1 of 2 pods are of this"),
        ("Deployment", FULL | {"replicas": 3}, {"replicas": 2}, "3 pods, 2 wanted"),
        ("Deployment", FULL | {"readyReplicas": None}, {"replicas": 2}, "0 of 2 pods ready"),
        ("StatefulSet", FULL | {"updatedReplicas": 0}, {"replicas": 2}, "0 of 2 pods are of this"),
        (
            "StatefulSet",
            FULL | {"updatedReplicas": 1},
            {"replicas": 2, "updateStrategy": {**ROLLING, "rollingUpdate": {"partition": 1}}},
            "",
        ),
        (
            "StatefulSet",
            FULL | {"updatedReplicas": 0},
            {"replicas": 2, "updateStrategy": {"type": "OnDelete"}},
            "",
        ),
        ("StatefulSet", {"replicas": 1, "updatedReplicas": 1}, {}, "0 of 1 pods ready"),
        ("DaemonSet", ON_NODES | {"updatedNumberScheduled": 1}, {}, "1 of 2 pods are of this"),
        ("DaemonSet", ON_NODES | {"currentNumberScheduled": 1}, {}, "1 pods, 2 wanted"),
        ("DaemonSet", ON_NODES | {"numberReady": 1}, {}, "1 of 2 pods ready"),
    ],
)
def test_what_is_not_as_it_should_be_is_said(
    kind: str, status: Json, spec: Json, said: str
) -> None:
    told = unsettled(workload(kind, status, **spec))
    assert told.startswith("shop: ") if said else told == ""
    assert said in told


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("shop", "shop:new"),
        ("shop:1", "shop:new"),
        ("reg:5000/team/shop", "reg:5000/team/shop:new"),
        ("reg:5000/team/shop:1@sha256:abc", "reg:5000/team/shop:new"),
    ],
)
def test_another_tag_leaves_registry_and_name(image: str, wanted: str) -> None:
    assert with_tag(image, "new") == wanted
