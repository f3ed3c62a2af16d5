"""Events of events.k8s.io: the core group's, with some fields under other names."""

from typing import Any

Json = dict[str, Any]
CORE, NEWER = "v1", "events.k8s.io/v1"
_NAMES = {  # in the core group, in events.k8s.io
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}


def in_version(event: Json, version: str) -> Json:
    """The event as CORE or NEWER has it."""
    names = _NAMES if version == NEWER else {new: old for old, new in _NAMES.items()}
    return {names.get(field, field): value for field, value in event.items()} | {
        "apiVersion": version
    }
