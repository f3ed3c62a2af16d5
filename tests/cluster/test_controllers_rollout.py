"""A Deployment's plan: which ReplicaSets, of which sizes, and what its conditions say."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.cluster.controllers import rollout, rollout_status
from tests.cluster.objects import NOW, at, deployment, replica_set, template


def rolling(surge: object, unavailable: object) -> dict[str, object]:
    limits = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": limits}}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (12, "25%", "25%", (3, 3)),
        (3, "25%", "25%", (1, 0)),
        (10, "25%", "25%", (3, 2)),
        (1, "25%", "25%", (1, 0)),
        (5, 0, 0, (0, 1)),
        (5, "0%", "10%", (0, 1)),
        (2, 1, 5, (1, 2)),
        (0, "25%", "25%", (0, 0)),
    ],
)
def test_surge_rounds_up_and_unavailable_down(
    replicas: int, surge: Any, unavailable: Any, expected: Any
) -> None:
    found = rollout.bounds(deployment(replicas, **rolling(surge, unavailable)))
    assert (found.surge, found.unavailable) == expected


def new(image: str = "app:1", **more: Any) -> Any:
    return replica_set("web-new", image=image, revision=2, age_s=10, **more)


def old(name: str = "web-old", **more: Any) -> Any:
    return replica_set(name, image="app:0", **more)


@pytest.mark.parametrize(
    ("why", "dep", "fresh", "olds", "expected"),
    [
        ("grow by the surge first", deployment(4), new(replicas=0), [old(replicas=4)],
         {"web-new": 1}),
        ("shrink once the surge is used", deployment(4), new(replicas=1, available=0),
         [old(replicas=4)], {"web-new": 1, "web-old": 3}),
        ("wait while too few are available", deployment(4), new(replicas=2, available=0),
         [old(replicas=3)], {"web-new": 2}),
        ("go on as the new ones come up", deployment(4), new(replicas=2, available=1),
         [old(replicas=3)], {"web-new": 2, "web-old": 2}),
        ("last step", deployment(4), new(replicas=4), [old(replicas=1)],
         {"web-new": 4, "web-old": 0}),
        ("broken old pods go first, the new one not being up yet",
         deployment(4, **rolling(1, 0)), new(replicas=1, available=0),
         [old("web-a", replicas=2, available=0), old("web-b", replicas=3, age_s=50)],
         {"web-new": 1, "web-a": 1}),
        ("scaled while one is active", deployment(6), new(replicas=4, desired=4, most=5), [],
         {"web-new": 6}),
        ("scaled in mid-rollout: shared in proportion", deployment(20),
         new(replicas=4, desired=10, most=13), [old(replicas=8, desired=10, most=13)],
         {"web-new": 8, "web-old": 17}),
        ("scaled to nothing in mid-rollout", deployment(0),
         new(replicas=4, desired=10, most=13), [old(replicas=8, desired=10, most=13)],
         {"web-new": 0, "web-old": 0}),
        ("paused: the present set is scaled, no rollout", deployment(6, paused=True), None,
         [old(replicas=4, desired=4)], {"web-old": 6}),
    ],
)  # fmt: skip
def test_sizes_of_the_replica_sets(
    why: str, dep: Any, fresh: Any, olds: Any, expected: Any
) -> None:
    assert rollout.sizes(dep, fresh, olds, old_pods=True) == expected, why


def test_recreate_ends_every_old_pod_before_the_first_new_one() -> None:
    dep = deployment(3, strategy={"type": "Recreate"})
    fresh = new(replicas=0)
    assert rollout.sizes(dep, fresh, [old(replicas=3)], old_pods=True) == {"web-old": 0}
    assert rollout.sizes(dep, fresh, [old(replicas=0)], old_pods=True) == {}
    assert rollout.sizes(dep, fresh, [old(replicas=0)], old_pods=False) == {"web-new": 3}


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_rolling_update_keeps_its_bounds_and_ends(data: Any) -> None:
    """Whatever the order in which pods come up, never too many pods, never too few available."""
    total = data.draw(st.integers(1, 12))
    percent = st.integers(0, 100).map("{}%".format)
    limit = st.one_of(st.integers(0, 4), percent)
    dep = deployment(total, **rolling(data.draw(limit), data.draw(limit)))
    bounds = rollout.bounds(dep)
    sets = {"web-new": new(replicas=0), "web-old": old(replicas=total)}
    for _ in range(12 * 12):
        fresh, olds = sets["web-new"], [sets["web-old"]]
        for name, size in rollout.sizes(dep, fresh, olds, old_pods=True).items():
            one = sets[name]
            one["spec"]["replicas"] = size
            up = one["status"]["availableReplicas"]
            one["status"].update(availableReplicas=min(up, size), replicas=size)
        pods = sum(s["spec"]["replicas"] for s in sets.values())
        available = sum(s["status"]["availableReplicas"] for s in sets.values())
        assert pods <= total + bounds.surge
        assert available >= total - bounds.unavailable
        waiting = fresh["spec"]["replicas"] - fresh["status"]["availableReplicas"]
        if not waiting and fresh["spec"]["replicas"] == total and not olds[0]["spec"]["replicas"]:
            return
        fresh["status"]["availableReplicas"] += data.draw(st.integers(min(waiting, 1), waiting))
    pytest.fail("the rollout does not end")


def test_the_set_of_a_template_is_found_whatever_its_hash_label() -> None:
    fresh, olds = rollout.split(deployment(), [old(), new()])
    assert fresh is not None
    assert fresh["metadata"]["name"] == "web-new"
    assert [s["metadata"]["name"] for s in olds] == ["web-old"]


def test_a_reused_set_gets_the_highest_revision() -> None:
    """After an undo the former set is the newest revision, and its old number is gone."""
    reused, later = replica_set("web-1", revision=1), replica_set("web-2", revision=4)
    assert rollout.next_revision(reused, [later]) == 5
    assert rollout.next_revision(later, [reused]) == 4
    assert rollout.next_revision(None, []) == 1


def test_a_new_set_carries_hash_revision_and_the_change_cause() -> None:
    dep = deployment(4)
    dep["metadata"]["annotations"] = {
        "kubernetes.io/change-cause": "because",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "deployment.kubernetes.io/revision": "7",
    }
    made = rollout.new_set(dep, [old(revision=7, replicas=4)])
    notes = made["metadata"]["annotations"]
    assert notes["kubernetes.io/change-cause"] == "because"
    assert notes["deployment.kubernetes.io/revision"] == "8"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in notes
    hashed = made["metadata"]["labels"]["pod-template-hash"]
    assert made["metadata"]["name"] == f"web-{hashed}"
    assert made["spec"]["selector"]["matchLabels"]["pod-template-hash"] == hashed
    assert made["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] == hashed
    assert made["spec"]["replicas"] == 1
    assert rollout.same_template(dep, made)


def test_history_keeps_the_latest_revisions() -> None:
    olds = [old(f"web-{n}", replicas=0, revision=n) for n in (3, 1, 4, 2)]
    kept = deployment(4, revisionHistoryLimit=2)
    assert [s["metadata"]["name"] for s in rollout.forgotten(kept, olds)] == ["web-1", "web-2"]
    assert rollout.forgotten(deployment(4), olds) == []


def told(dep: Any, kind: str) -> Any:
    return next(c for c in dep["status"]["conditions"] if c["type"] == kind)


def after(dep: Any, fresh: Any, olds: Any, now: Any = NOW) -> Any:
    return {**dep, "status": rollout_status.new_status(dep, fresh, olds, now)}


def test_a_rollout_tells_of_progress_and_then_of_its_end() -> None:
    dep = after(deployment(2), new(replicas=1, available=0), [old(replicas=2)])
    assert told(dep, "Available")["reason"] == "MinimumReplicasAvailable"
    assert told(dep, "Progressing")["reason"] == "ReplicaSetUpdated"
    dep = after(dep, new(replicas=2), [old(replicas=0)])
    assert told(dep, "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert told(dep, "Progressing")["message"].startswith('ReplicaSet "web-new" has success')
    broken = after(dep, new(replicas=2, available=0), [])
    assert told(broken, "Available")["status"] == "False"
    assert told(broken, "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_rollout_that_stands_still_past_its_deadline_fails_and_may_recover() -> None:
    fresh = new(replicas=1, available=0)
    dep = deployment(2, progressDeadlineSeconds=60)
    dep = after(dep, fresh, [old(replicas=2)])
    assert rollout_status.until_overdue(dep, NOW) == 60
    late = NOW + timedelta(seconds=61)
    dep = after(dep, fresh, [old(replicas=2)], late)
    assert told(dep, "Progressing")["status"] == "False"
    assert told(dep, "Progressing")["reason"] == "ProgressDeadlineExceeded"
    assert rollout_status.until_overdue(dep, late) is None
    dep = after(dep, new(replicas=1), [old(replicas=2)], late)
    assert told(dep, "Progressing")["reason"] == "ReplicaSetUpdated"


def test_the_same_facts_give_the_same_status() -> None:
    """No clock runs in the status, else every look would write it again."""
    dep = after(deployment(2), new(replicas=1, available=0), [old(replicas=2)])
    later = NOW + timedelta(seconds=5)
    assert after(deepcopy(dep), new(replicas=1, available=0), [old(replicas=2)], later) == dep


def test_a_refused_pod_shows_in_the_deployment() -> None:
    fresh = new(replicas=2, available=0)
    refusal = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "quota",
        "lastTransitionTime": at(0),
    }
    fresh["status"]["conditions"] = [refusal]
    assert told(after(deployment(2), fresh, []), "ReplicaFailure")["message"] == "quota"


def test_templates_differ_by_content_alone() -> None:
    dep = deployment()
    assert rollout.same_template(dep, replica_set())
    dep["spec"]["template"] = template(image="app:2")
    assert not rollout.same_template(dep, replica_set())
