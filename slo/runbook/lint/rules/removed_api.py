"""A manifest in the text whose API version Kubernetes does not serve any more, or not yet."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Fix, Level, Problem, Rule
from slo.runbook.lint.versions import older, version, written

_APPS = "Deployment DaemonSet ReplicaSet StatefulSet"
_STORAGE = "StorageClass CSIDriver CSINode VolumeAttachment"
# Kubernetes' deprecation guide: API version, kinds ("" for all), since when, what serves it now.
_GONE = (
    ("extensions/v1beta1", _APPS, "1.16", "apps/v1"),
    ("extensions/v1beta1", "NetworkPolicy", "1.16", "networking.k8s.io/v1"),
    ("extensions/v1beta1", "PodSecurityPolicy", "1.16", "Pod Security admission"),
    ("extensions/v1beta1", "Ingress", "1.22", "networking.k8s.io/v1"),
    ("apps/v1beta1", "", "1.16", "apps/v1"),
    ("apps/v1beta2", "", "1.16", "apps/v1"),
    ("networking.k8s.io/v1beta1", "Ingress IngressClass", "1.22", "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "", "1.22", "rbac.authorization.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", "", "1.22", "apiextensions.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1beta1", "", "1.22", "admissionregistration.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", "", "1.22", "apiregistration.k8s.io/v1"),
    ("certificates.k8s.io/v1beta1", "", "1.22", "certificates.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", "Lease", "1.22", "coordination.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", "", "1.22", "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", _STORAGE, "1.22", "storage.k8s.io/v1"),
    ("batch/v1beta1", "", "1.25", "batch/v1"),
    ("policy/v1beta1", "PodDisruptionBudget", "1.25", "policy/v1"),
    ("policy/v1beta1", "PodSecurityPolicy", "1.25", "Pod Security admission"),
    ("node.k8s.io/v1beta1", "RuntimeClass", "1.25", "node.k8s.io/v1"),
    ("autoscaling/v2beta1", "", "1.25", "autoscaling/v2"),
    ("autoscaling/v2beta2", "", "1.26", "autoscaling/v2"),
    ("discovery.k8s.io/v1beta1", "", "1.25", "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", "", "1.25", "events.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity", "1.27", "storage.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", "", "1.26", "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", "", "1.29", "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", "", "1.32", "flowcontrol.apiserver.k8s.io/v1"),
)
# What came later than some clusters that are still in use.
_CAME = (
    ("networking.k8s.io/v1", "Ingress IngressClass", "1.19"),
    ("batch/v1", "CronJob", "1.21"),
    ("policy/v1", "PodDisruptionBudget", "1.21"),
    ("autoscaling/v2", "", "1.23"),
    ("flowcontrol.apiserver.k8s.io/v1", "", "1.29"),
)
_SAME_FIELDS = frozenset(
    ("batch/v1beta1", "rbac.authorization.k8s.io/v1beta1", "autoscaling/v2beta2")
)
_VERSION = re.compile(r"(?m)^[ \t]*apiVersion:[ \t]*[\"']?([\w./]+)[\"']?[ \t]*(?:#.*)?$")
_KIND = re.compile(r"(?m)^[ \t]*kind:[ \t]*[\"']?(\w+)")


def check(context: Context) -> Iterator[Problem]:
    texts = [(s.source.line, s.text) for s in context.runbook.snippets if s.kind == "manifest"]
    texts += [(s.source.line, s.text) for _, s in context.steps() if "apiVersion:" in s.text]
    for line, text in texts:
        start = 0
        for part in re.split(r"(?m)^---[ \t]*$", text):
            yield from _document(context, part, line + text.count("\n", 0, start))
            start += len(part) + len("---")


def _document(context: Context, text: str, line: int) -> Iterator[Problem]:
    api, kind = _VERSION.search(text), _KIND.search(text)
    if api is None or kind is None:
        return
    here = line + text.count("\n", 0, api.start(1))
    given = context.versions.kubernetes
    for gone, kinds, since, now in _GONE:
        if api[1] != gone or (kinds and kind[1] not in kinds.split()):
            continue
        if not older(given, version(since)):
            yield Problem(
                line=here,
                message=f"{kind[1]} of {gone} is not served by Kubernetes since {since}",
                suggestion=f"{now}; `kubectl explain {kind[1].lower()}` shows its fields",
                # Of these the fields are the same.
                fix=Fix(here, gone, now) if gone in _SAME_FIELDS else None,
            )
    for came, kinds, since in _CAME:
        known = api[1] == came and (not kinds or kind[1] in kinds.split())
        if known and given is not None and older(given, version(since)):
            yield Problem(
                line=here,
                message=f"{kind[1]} of {came} is served by Kubernetes from {since} on, and the"
                f" runbook is for {written(given)}",
                suggestion="use the version that this cluster serves: `kubectl api-versions`",
            )


RULE = Rule(
    id="removed-api",
    level=Level.ERROR,
    title="An API version is not served any more",
    why="kubectl apply refuses the manifest in the middle of the procedure.",
    check=check,
)
