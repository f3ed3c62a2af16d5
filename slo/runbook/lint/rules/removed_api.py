"""A manifest in the text whose API version Kubernetes does not serve any more."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule

# Kubernetes' deprecation guide: API version, kinds ("" for all), since when, what serves it now.
_GONE = (
    ("extensions/v1beta1", "", "1.22", "networking.k8s.io/v1 or apps/v1"),
    ("apps/v1beta1", "", "1.16", "apps/v1"),
    ("apps/v1beta2", "", "1.16", "apps/v1"),
    ("networking.k8s.io/v1beta1", "Ingress IngressClass", "1.22", "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "", "1.22", "rbac.authorization.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", "", "1.22", "apiextensions.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1beta1", "", "1.22", "admissionregistration.k8s.io/v1"),
    ("batch/v1beta1", "", "1.25", "batch/v1"),
    ("policy/v1beta1", "PodDisruptionBudget", "1.25", "policy/v1"),
    ("policy/v1beta1", "PodSecurityPolicy", "1.25", "Pod Security admission"),
    ("autoscaling/v2beta1", "", "1.25", "autoscaling/v2"),
    ("autoscaling/v2beta2", "", "1.26", "autoscaling/v2"),
    ("discovery.k8s.io/v1beta1", "", "1.25", "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", "", "1.25", "events.k8s.io/v1"),
)
_VERSION = re.compile(r"(?m)^[ \t]*apiVersion:[ \t]*[\"']?([\w./]+)[\"']?[ \t]*(?:#.*)?$")
_KIND = re.compile(r"(?m)^[ \t]*kind:[ \t]*[\"']?(\w+)")


def check(context: Context) -> Iterator[Problem]:
    texts = [(s.source.line, s.text) for s in context.runbook.snippets if s.kind == "manifest"]
    texts += [(s.source.line, s.text) for _, s in context.steps() if "apiVersion:" in s.text]
    for line, text in texts:
        start = 0
        for part in re.split(r"(?m)^---[ \t]*$", text):
            yield from _document(part, line + text.count("\n", 0, start))
            start += len(part) + len("---")


def _document(text: str, line: int) -> Iterator[Problem]:
    version, kind = _VERSION.search(text), _KIND.search(text)
    if version is None or kind is None:
        return
    for gone, kinds, since, now in _GONE:
        if version[1] == gone and (not kinds or kind[1] in kinds.split()):
            yield Problem(
                line=line + text.count("\n", 0, version.start(1)),
                message=f"{kind[1]} of {gone} is not served by Kubernetes since {since}",
                suggestion=f"{now}; `kubectl explain {kind[1].lower()}` shows its fields",
            )


RULE = Rule(
    id="removed-api",
    level=Level.ERROR,
    title="An API version is not served any more",
    why="kubectl apply refuses the manifest in the middle of the procedure.",
    check=check,
)
