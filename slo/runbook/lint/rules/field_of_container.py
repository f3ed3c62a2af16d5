"""A field of containers, looked for on the pod."""

import re
from collections.abc import Iterator

from slo.runbook.lint.base import Context, Level, Problem, Rule
from slo.runbook.lint.commands import called

# Fields of SecurityContext (containers) that PodSecurityContext does not have, and others of
# containers alone: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
_SECURITY = "privileged|capabilities|allowPrivilegeEscalation|readOnlyRootFilesystem|procMount"
_CONTAINER = (
    "image|imagePullPolicy|resources|livenessProbe|readinessProbe|ports|env|envFrom|command"
)
_PATH = re.compile(
    rf"(?<![\w\]])\.?spec\.(?:template\.spec\.)?(?:securityContext\.({_SECURITY})|({_CONTAINER}))\b"
)
_LISTS = re.compile(r"\bget (?:\S+ )*?(?:po|pod|pods)\b")


def check(context: Context) -> Iterator[Problem]:
    for _, step in context.steps():
        if not _LISTS.search(step.text):
            continue
        for command, words in ((c, w) for c, w in called(context) if c in step.commands):
            for word in words[1:]:
                if not (command.program in {"jq", "yq"} or _is_path(word)):
                    continue
                for found in _PATH.finditer(word):
                    field = found[1] or found[2]
                    where = found[0].lstrip(".")
                    below = f".securityContext.{field}" if found[1] else f".{field}"
                    yield Problem(
                        line=command.line,
                        message=f"{where} is looked for on pods, where only containers have"
                        f" {field}: nothing is ever found",
                        suggestion="look at the containers: select(any(.spec.containers[],"
                        f" .spec.initContainers[]?; {below} == …))",
                    )


def _is_path(word: str) -> bool:
    return word.startswith(
        ("jsonpath", "custom-columns", "-o=", "-ojsonpath", "--output=", "--sort-by")
    )


RULE = Rule(
    id="field-of-container",
    level=Level.ERROR,
    title="A container's field is looked for on the pod",
    why="An audit that can find nothing reports that all is well.",
    check=check,
)
