"""The Jobs of gameday's own image, as a cluster that restricts its pods lets them in."""

from chaos.cli.app import version
from chaos.plan.model import PlanWatchdog
from chaos.run.jobs import MEMORY, READY, watchdog_job

GIVEN = PlanWatchdog(
    image="registry.example.com/gameday:7", pull_policy="Always", pull_secrets=("registry",)
)


def test_where_the_image_comes_from_is_the_plan_s_to_say() -> None:
    pod = watchdog_job("shop", GIVEN)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "registry.example.com/gameday:7"
    assert container["imagePullPolicy"] == "Always"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert container["args"][:3] == ["watchdog", "--namespace", "shop"]


def test_by_default_it_is_the_image_of_this_version() -> None:
    pod = watchdog_job("shop", PlanWatchdog())["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"gameday/gameday:{version()}"
    assert "imagePullSecrets" not in pod


def test_the_pod_security_level_restricted_admits_it() -> None:
    """The fields that Kubernetes' page "Pod Security Standards" asks for."""
    pod = watchdog_job("shop", GIVEN)["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"]
    kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"emptyDir", "configMap", "secret", "projected", "persistentVolumeClaim"}


def test_all_that_it_writes_lies_on_its_volume() -> None:
    (container,) = watchdog_job("shop", GIVEN)["spec"]["template"]["spec"]["containers"]
    assert container["volumeMounts"] == [{"name": "memory", "mountPath": MEMORY}]
    written = [word for word in container["args"] if word.startswith("/")]
    assert written == [READY, f"{MEMORY}/heartbeat.json"]
    assert all(path.startswith(f"{MEMORY}/") for path in written)
