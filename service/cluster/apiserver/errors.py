"""Refusals as Kubernetes words them: an HTTP status, a reason and a sentence."""

from typing import Any

Cause = tuple[str, str]  # a field's path and what is wrong with it
_REASONS = {
    "Required value": "FieldValueRequired",
    "Forbidden": "FieldValueForbidden",
    "Duplicate value": "FieldValueDuplicate",
    "Unsupported value": "FieldValueNotSupported",
    "Not found": "FieldValueNotFound",
}


class StatusError(Exception):
    """Becomes a Status object. `details` may carry name, group, kind and causes."""

    def __init__(
        self, code: int, reason: str, message: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    def status(self) -> dict[str, Any]:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details or {},
            "code": self.code,
        }


def _titled(plural: str, group: str) -> str:
    return f"{plural}.{group}" if group else plural


def not_found(plural: str, group: str, name: str) -> StatusError:
    details = {"name": name, "group": group, "kind": plural}
    message = f'{_titled(plural, group)} "{name}" not found'
    return StatusError(404, "NotFound", message, details)


def no_such_resource() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def already_exists(plural: str, group: str, name: str) -> StatusError:
    details = {"name": name, "group": group, "kind": plural}
    message = f'{_titled(plural, group)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, details)


def conflict(plural: str, group: str, name: str, why: str = "") -> StatusError:
    why = why or (
        "the object has been modified; please apply your changes to the latest version and"
        " try again"
    )
    return StatusError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {_titled(plural, group)} "{name}": {why}',
        {"name": name, "group": group, "kind": plural},
    )


def invalid(kind: str, group: str, name: str, causes: list[Cause]) -> StatusError:
    """422."""
    listed = ", ".join(f"{field}: {message}" for field, message in causes)
    if len(causes) > 1:
        listed = f"[{listed}]"
    return StatusError(
        422,
        "Invalid",
        f'{_titled(kind, group)} "{name}" is invalid: {listed}',
        {
            "name": name,
            "group": group,
            "kind": kind,
            "causes": [
                {"reason": _reason(message), "field": field, "message": message}
                for field, message in causes
            ],
        },
    )


def _reason(message: str) -> str:
    return _REASONS.get(message.partition(":")[0], "FieldValueInvalid")


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unsupported_media_type(content_type: str) -> StatusError:
    return StatusError(
        415,
        "UnsupportedMediaType",
        f"the body of the request was in an unknown format: {content_type}",
    )


def expired(version: int, oldest: int) -> StatusError:
    return StatusError(410, "Expired", f"too old resource version: {version} ({oldest})")
