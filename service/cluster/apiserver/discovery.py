"""What the server says of itself: groups, resources, versions."""

from typing import Any

from service.cluster.apiserver.kinds import Kind, Kinds

Json = dict[str, Any]
VERSION = {
    "major": "1",
    "minor": "37",
    "gitVersion": "v1.37.0+gameday",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "linux/amd64",
}
AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    "apidiscovery.k8s.io/v2",
)
# Subresources whose objects are of another kind than their parent.
_FOREIGN = {
    "scale": ("autoscaling", "v1", "Scale"),
    "eviction": ("policy", "v1", "Eviction"),
    "binding": ("", "v1", "Binding"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "exec": ("", "v1", "PodExecOptions"),
    "attach": ("", "v1", "PodAttachOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
}
_SUB_VERBS = {
    "status": ["get", "patch", "update"],
    "scale": ["get", "patch", "update"],
    "finalize": ["update"],
    "log": ["get"],
    "exec": ["create", "get"],
    "attach": ["create", "get"],
    "portforward": ["create", "get"],
    "proxy": ["create", "get"],
}


def _sub(kind: Kind, sub: str) -> tuple[str, str, str]:
    if sub == "proxy":
        return "", "v1", f"{kind.kind}ProxyOptions"
    return _FOREIGN.get(sub, (kind.group, kind.version, kind.kind))


def legacy_versions() -> Json:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def legacy_groups(kinds: Kinds) -> Json:
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, versions) for name, versions in kinds.groups().items() if name],
    }


def legacy_group(kinds: Kinds, group: str) -> Json | None:
    versions = kinds.groups().get(group)
    if not group or versions is None:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)}


def _group(name: str, versions: dict[str, list[Kind]]) -> Json:
    listed = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def legacy_resources(kinds: Kinds, group: str, version: str) -> Json | None:
    found = kinds.groups().get(group, {}).get(version)
    if found is None:
        return None
    resources: list[Json] = []
    for kind in found:
        resources.append(
            {
                "name": kind.plural,
                "singularName": kind.singular,
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": list(kind.verbs),
                "shortNames": list(kind.short),
                "categories": list(kind.categories),
            }
        )
        for sub in kind.subresources:
            g, v, k = _sub(kind, sub)
            resources.append(
                {
                    "name": f"{kind.plural}/{sub}",
                    "singularName": "",
                    "namespaced": kind.namespaced,
                    "group": g,
                    "version": v,
                    "kind": k,
                    "verbs": _SUB_VERBS.get(sub, ["create"]),
                }
            )
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": resources,
    }


def aggregated(kinds: Kinds, *, core: bool) -> Json:
    """KEP-3352: everything below /api (core) or /apis in one answer."""
    items = [
        {
            "metadata": {"name": name},
            "versions": [
                {
                    "version": version,
                    "resources": [_aggregated(k) for k in found],
                    "freshness": "Current",
                }
                for version, found in versions.items()
            ],
        }
        for name, versions in kinds.groups().items()
        if core is not bool(name)
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": AGGREGATED[1],
        "metadata": {},
        "items": items,
    }


def _aggregated(kind: Kind) -> Json:
    scope = "Namespaced" if kind.namespaced else "Cluster"
    return {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": scope,
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
        "shortNames": list(kind.short),
        "categories": list(kind.categories),
        "subresources": [
            {
                "subresource": sub,
                "responseKind": dict(
                    zip(("group", "version", "kind"), _sub(kind, sub), strict=True)
                ),
                "verbs": _SUB_VERBS.get(sub, ["create"]),
            }
            for sub in kind.subresources
        ],
    }
