"""The pure cores of the other controllers, by tables of cases."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cluster.controllers import (
    disruption,
    endpoints,
    garbage,
    nodes,
    objects,
    replicaset,
    revisions,
    statefulset,
)
from service.cluster.controllers.workqueue import WorkQueue
from tests.cluster.objects import NOW, at, condition, meta, node, owner, pod, replica_set, template


def names(found: Any) -> Any:
    return [obj["metadata"]["name"] for obj in found]


# --- ReplicaSet -------------------------------------------------------------------------------


def test_a_pod_that_is_being_deleted_is_replaced_at_once() -> None:
    going = pod("c", deletionTimestamp=at(30))
    pods = [pod("a"), pod("b"), going, pod("d", phase="Failed")]
    assert replicaset.plan(replica_set(replicas=3), pods) == replicaset.Plan(1, ())


@pytest.mark.parametrize(
    ("why", "lost", "kept"),
    [
        ("unscheduled", pod("x", node=None), pod("y")),
        ("pending", pod("x", phase="Pending"), pod("y")),
        ("not ready", pod("x", ready=False), pod("y")),
        ("cheaper", pod("x", annotations={"controller.kubernetes.io/pod-deletion-cost": "-1"}),
         pod("y")),
        ("ready for a shorter time", pod("x", since_s=-1), pod("y", since_s=-30)),
        ("younger", pod("x", age_s=1), pod("y", age_s=90)),
    ],
)  # fmt: skip
def test_which_pod_goes_first_when_there_are_too_many(why: str, lost: Any, kept: Any) -> None:
    for pods in ([lost, kept], [kept, lost]):
        assert names(replicaset.plan(replica_set(replicas=1), pods).delete) == ["x"], why


def test_a_pod_on_the_fuller_node_goes_first() -> None:
    pods = [pod("a", node="n1"), pod("b", node="n2"), pod("c", node="n2")]
    assert names(replicaset.plan(replica_set(replicas=2), pods).delete)[0] in {"b", "c"}


def test_ready_pods_are_available_after_min_ready_seconds() -> None:
    owner_set = replica_set(replicas=3)
    owner_set["spec"]["minReadySeconds"] = 10
    pods = [pod("a", since_s=-30), pod("b", since_s=-4), pod("c", ready=False)]
    seen = replicaset.new_status(owner_set, pods, "", NOW)
    assert (seen["replicas"], seen["readyReplicas"], seen["availableReplicas"]) == (3, 2, 1)
    assert objects.until_available(pods, 10, NOW) == 6


# --- StatefulSet ------------------------------------------------------------------------------


def stateful_set(replicas: int = 3, **spec: Any) -> Any:
    return {
        "metadata": meta("db"),
        "spec": {
            "replicas": replicas,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(),
            **spec,
        },
        "status": {"currentRevision": "db-1", "updateRevision": "db-2"},
    }


def member(ordinal: int, revision: str = "db-2", **more: Any) -> Any:
    labels = {"app": "web", "controller-revision-hash": revision}
    return pod(f"db-{ordinal}", labels=labels, **more)


@pytest.mark.parametrize(
    ("why", "spec", "pods", "create", "delete"),
    [
        ("the first alone", {}, [], [0], []),
        ("the next when the one before is ready", {}, [member(0)], [1], []),
        ("not before", {}, [member(0, ready=False)], [], []),
        ("not while it ends", {}, [member(0, deletionTimestamp=at(9))], [], []),
        ("all at once", {"podManagementPolicy": "Parallel"}, [member(1)], [0, 2], []),
        ("a gap is filled first", {}, [member(0), member(2)], [1], []),
        ("an ended pod makes way", {}, [member(0, phase="Failed")], [], ["db-0"]),
        ("downwards, one by one", {"replicas": 1}, [member(n) for n in range(3)], [], ["db-2"]),
        ("the next when the last is gone", {"replicas": 1},
         [member(0), member(1), member(2, deletionTimestamp=at(9))], [], []),
        ("downwards all at once", {"replicas": 1, "podManagementPolicy": "Parallel"},
         [member(n) for n in range(3)], [], ["db-2", "db-1"]),
        ("an update starts at the top", {}, [member(n, "db-1") for n in range(3)], [], ["db-2"]),
        ("and goes on downwards", {}, [member(0, "db-1"), member(1, "db-1"), member(2)], [],
         ["db-1"]),
        ("but waits for the one above", {},
         [member(0, "db-1"), member(1, "db-1"), member(2, ready=False)], [], []),
        ("and ends at the partition",
         {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
         [member(0, "db-1"), member(1, "db-1"), member(2)], [], []),
        ("OnDelete leaves them", {"updateStrategy": {"type": "OnDelete"}},
         [member(n, "db-1") for n in range(3)], [], []),
    ],
)  # fmt: skip
def test_the_next_step_of_a_stateful_set(
    why: str, spec: Any, pods: Any, create: Any, delete: Any
) -> None:
    step = statefulset.plan(stateful_set(**spec), pods, "db-2", NOW)
    assert [missing.ordinal for missing in step.create] == create, why
    assert names(step.delete) == delete, why


def test_below_the_partition_a_lost_pod_comes_back_with_its_old_template() -> None:
    partitioned = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}
    step = statefulset.plan(stateful_set(**partitioned), [], "db-2", NOW)
    assert not step.create[0].updated


def test_members_have_names_hosts_and_claims_of_their_own() -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    db = stateful_set(volumeClaimTemplates=[claim])
    revision = {"metadata": {"name": "db-2"}, "data": revisions.data_of(db)}
    body = statefulset.pod_body(db, revision, 1)
    assert (body["metadata"]["name"], body["spec"]["hostname"]) == ("db-1", "db-1")
    assert body["spec"]["subdomain"] == "db"
    assert body["metadata"]["labels"]["controller-revision-hash"] == "db-2"
    assert body["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] == "data-db-1"
    assert names(statefulset.claim_bodies(db, 1)) == ["data-db-1"]


def test_a_finished_update_makes_its_revision_the_current_one() -> None:
    pods = [member(n) for n in range(3)]
    assert statefulset.new_status(stateful_set(), pods, "db-2", NOW)["currentRevision"] == "db-2"
    pods[0] = member(0, "db-1")
    assert statefulset.new_status(stateful_set(), pods, "db-2", NOW)["currentRevision"] == "db-1"


# --- EndpointSlice ----------------------------------------------------------------------------


def service(**spec: Any) -> Any:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return {
        "metadata": meta("web", labels={"team": "a"}),
        "spec": {"selector": {"app": "web"}, "ports": ports, **spec},
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (pod("a"), (True, True, False)),
        (pod("a", ready=False), (False, False, False)),
        (pod("a", deletionTimestamp=at(30)), (False, True, True)),
    ],
)
def test_what_a_slice_says_of_a_pod(found: Any, expected: Any) -> None:
    (only,) = endpoints.slices(service(), [found])
    said = only["endpoints"][0]["conditions"]
    assert (said["ready"], said["serving"], said["terminating"]) == expected
    assert only["ports"] == [{"name": "http", "port": 80, "protocol": "TCP"}]
    assert only["metadata"]["labels"]["kubernetes.io/service-name"] == "web"


def test_pods_without_address_or_past_their_end_are_left_out() -> None:
    new = pod("b")
    del new["status"]["podIP"]
    (only,) = endpoints.slices(service(), [pod("a", phase="Succeeded"), new])
    assert only["endpoints"] == []


def test_pods_that_name_different_ports_are_in_different_slices() -> None:
    other = pod("b")
    other["spec"] = {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]}
    found = endpoints.slices(service(), [pod("a"), other])
    assert sorted(s["ports"][0]["port"] for s in found) == [80, 8080]
    assert len(set(names(found))) == 2


def test_unready_pods_are_published_on_request() -> None:
    early = service(publishNotReadyAddresses=True)
    (only,) = endpoints.slices(early, [pod("a", ready=False)])
    assert only["endpoints"][0]["conditions"]["ready"] is True


# --- garbage, nodes, budgets, jobs ------------------------------------------------------------


def test_only_what_has_lost_all_owners_is_garbage() -> None:
    first, second = replica_set("a"), replica_set("b")
    refs = [owner(first, "ReplicaSet"), owner(second, "ReplicaSet")]
    child = pod("c", ownerReferences=refs)
    assert garbage.doomed(child, lambda _: False)
    assert not garbage.doomed(child, lambda ref: ref["name"] == "b")
    assert not garbage.doomed(pod("free"), lambda _: False)
    assert garbage.without_owner(child, first) == refs[1:]
    assert garbage.blocking(first, [child, pod("free")]) == [child]


def test_the_last_sign_of_a_node_is_its_lease_or_its_heartbeat() -> None:
    silent = node()
    silent["status"]["conditions"][0]["lastHeartbeatTime"] = at(-50)
    assert nodes.last_sign(silent, None) == NOW - timedelta(seconds=50)
    lease = {"spec": {"renewTime": "2025-01-26T11:59:55.123456Z"}}
    assert NOW - nodes.last_sign(silent, lease) < timedelta(seconds=5)
    gone = nodes.lost(silent, NOW)["conditions"][0]
    assert (gone["status"], gone["reason"]) == ("Unknown", "NodeStatusUnknown")
    out = nodes.unready(pod("a"), NOW)["conditions"][0]
    assert (out["type"], out["status"], out["lastTransitionTime"]) == ("Ready", "False", at(0))


@pytest.mark.parametrize(
    ("spec", "healthy", "desired", "allowed"),
    [
        ({"minAvailable": "80%"}, 12, 10, 2),
        ({"minAvailable": "80%"}, 10, 10, 0),
        ({"maxUnavailable": 1}, 12, 11, 1),
        ({"maxUnavailable": "25%"}, 12, 9, 3),
        ({"minAvailable": 2}, 1, 2, 0),
    ],
)
def test_disruptions_allowed(spec: Any, healthy: Any, desired: Any, allowed: Any) -> None:
    pods = [pod(f"p{n}", ready=n < healthy) for n in range(12)]
    seen = disruption.new_status({"metadata": meta("pdb"), "spec": spec}, pods, 12)
    found = seen["currentHealthy"], seen["desiredHealthy"], seen["disruptionsAllowed"]
    assert found == (healthy, desired, allowed)


def test_expected_pods_are_what_the_deployment_wants() -> None:
    """A budget in percent counts pods that are missing, too."""
    deployment = {"metadata": meta("web"), "spec": {"replicas": 12}}
    owned = replica_set("web-1", replicas=9)
    owned["metadata"]["ownerReferences"] = [owner(deployment, "Deployment")]
    pods = [pod("a", ownerReferences=[owner(owned, "ReplicaSet")])]
    known = {"ReplicaSet": owned, "Deployment": deployment}
    assert disruption.expected(pods, lambda kind, *_: known.get(kind)) == 12


# --- ground -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, True),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_label_selectors(selector: Any, matches: Any) -> None:
    assert objects.selects(selector, {"a": "1"}) is matches


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    held = [condition("Ready", value=True, since_s=-30)]
    same = objects.with_condition(held, {"type": "Ready", "status": "True", "reason": "x"}, NOW)
    assert (same[0]["lastTransitionTime"], same[0]["reason"]) == (at(-30), "x")
    other = objects.with_condition(held, {"type": "Ready", "status": "False"}, NOW)
    assert other[0]["lastTransitionTime"] == at(0)


@given(keys=st.lists(st.tuples(st.just("ns"), st.sampled_from("abc")), max_size=20))
def test_a_key_stands_in_the_queue_at_most_once(keys: Any) -> None:
    queue = WorkQueue()
    for key in keys:
        queue.add(key)
    assert [queue.get() for _ in set(keys)] == list(dict.fromkeys(keys))


def test_a_failing_key_waits_longer_each_time_until_it_succeeds() -> None:
    now, waited = 0.0, []
    queue = WorkQueue(lambda: now)
    key = ("ns", "a")
    for _ in range(5):
        queue.retry(key)
        waited.append(queue._due[0][0] - now)
        now = queue._due[0][0]
        assert queue.get() == key
    assert waited == pytest.approx([0.005, 0.01, 0.02, 0.04, 0.08])
    queue.forget(key)
    queue.retry(key)
    assert queue._due[0][0] - now == pytest.approx(0.005)
    queue.close()
    assert queue.get() is None
