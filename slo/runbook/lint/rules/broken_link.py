"""A link to a heading or file that is not there."""

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote

from slo.runbook.lint.base import Context, Fix, Level, Problem, Rule
from slo.runbook.model import Runbook


def check(context: Context) -> Iterator[Problem]:
    anchors = _anchors(context.runbook)
    text = "\n".join(context.runbook.lines)
    explicit = set(re.findall(r"""(?:id|name)=["']?([^"'\s>]+)""", text))
    explicit |= _labels(text)
    for link in context.runbook.links:
        target = unquote(link.target)
        if target.startswith("#"):
            if (
                target[1:].casefold() not in anchors
                and target[1:] not in explicit
                and target not in {"#", "#top"}
                # A label of Sphinx may be in another file: it has a colon, or the link no words.
                and ":" not in target
                and link.text
                and not re.search(r"^#-|-39-", target)  # as other site generators make anchors
            ):
                all_near = sorted({a for a in anchors if a.endswith(target[1:]) and target[1:]})
                near = all_near[0] if all_near else ""
                yield Problem(
                    line=link.source.line,
                    message=f"the link to {target} leads nowhere: no heading has that anchor",
                    suggestion=f"link to #{near}" if near else "link to a heading that is there",
                    fix=Fix(link.source.line, f"]({link.target})", f"](#{near})")
                    if len(all_near) == 1
                    else None,
                )
        elif context.exists is not None and _local(target):
            path = target.partition("#")[0].partition("?")[0]
            if path and _is_file(path) and not context.exists(path):
                yield Problem(
                    line=link.source.line,
                    message=f"the link to {path} leads to no file",
                    suggestion="correct the path",
                )


def _labels(text: str) -> set[str]:
    """Anchors that MyST, attribute lists and Elastic's headings name: `(a)=`, `{#a}`, `[#a]`."""
    found = re.findall(r"(?m)^\((\S+)\)=\s*$|\{:?\s*#([\w.-]+)|^#.*\[#([\w.-]+)\]", text)
    return {name for names in found for name in names if name}


def _is_file(path: str) -> bool:
    """A file as it is kept. "../install/" and "install.html" are pages that a site generator makes
    from other names."""
    return bool(re.search(r"\.(?:md|mdx|rst|adoc|txt|ya?ml|json|sh|py|png|jpe?g|svg|pdf)$", path))


def _local(target: str) -> bool:
    return not re.match(r"[a-z][a-z0-9+.-]*:|//|/", target, re.IGNORECASE)


def _anchors(runbook: Runbook) -> list[str]:
    """As GitHub makes them: lower case, punctuation dropped, spaces as hyphens, then numbered."""
    seen: Counter[str] = Counter()
    found = []
    for heading in runbook.headings:
        if heading.anchor:
            found.append(heading.anchor)
        base = re.sub(r"[^\w\- ]", "", heading.text.strip().lower()).replace(" ", "-")
        found.append(f"{base}-{seen[base]}" if seen[base] else base)
        seen[base] += 1
    return found


RULE = Rule(
    id="broken-link",
    level=Level.WARNING,
    title="A link leads nowhere",
    why="In an incident nobody has time to search.",
    check=check,
)
