"""What leads from a pod to the machine below it, in objects and in patches."""

from typing import Any

import pytest

from chaos.prove.shell.api_orders import reaching


def pod(**context: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "busybox:1", "securityContext": context}
    return {"kind": "Pod", "spec": {"containers": [container]}}


def patch(op: str, path: str, value: Any) -> list[dict[str, Any]]:
    return [{"op": op, "path": f"/spec/containers/0/securityContext/{path}", "value": value}]


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (pod(capabilities={"add": ["SYS_ADMIN"]}), True),
        (pod(capabilities={"add": ["CAP_BPF"]}), True),
        (pod(capabilities={"add": ["all"]}), True),
        (pod(capabilities={"add": ["NET_BIND_SERVICE", "chown"], "drop": ["ALL"]}), False),
        (pod(capabilities={"drop": ["ALL"]}), False),
        (pod(capabilities={}), False),
        (pod(privileged=True), True),
        (pod(privileged=False), False),
        (patch("add", "capabilities/add/-", "SYS_PTRACE"), True),
        (patch("replace", "capabilities", {"add": ["SYS_MODULE"]}), True),
        (patch("add", "capabilities/drop/-", "ALL"), False),
        (patch("remove", "capabilities/add/0", None), False),
        (patch("add", "privileged", value=True), True),
    ],
)
def test_more_of_the_kernel_than_the_baseline_is_refused(body: Any, *, refused: bool) -> None:
    assert bool(reaching(body)) is refused, reaching(body)


def test_what_a_pod_has_already_it_keeps() -> None:
    there = pod(capabilities={"add": ["NET_ADMIN"]})
    assert reaching(there, there) == ""
    more = pod(capabilities={"add": ["NET_ADMIN", "SYS_ADMIN"]})
    assert "more of the kernel's capabilities" in reaching(more, there)
