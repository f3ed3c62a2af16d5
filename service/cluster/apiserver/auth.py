"""Who is asking: bearer tokens of a file, and tokens issued for service accounts."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PREFIX = "gameday-sa."
LIFETIME = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class User:
    name: str
    groups: tuple[str, ...]


class Authenticator:
    """`pki` has tokens.json ({token: {user, groups}}) and sa.key (any secret bytes)."""

    def __init__(self, pki: Path) -> None:
        listed = json.loads((pki / "tokens.json").read_text())
        self._users = {
            token: User(entry["user"], tuple(entry["groups"])) for token, entry in listed.items()
        }
        self._key = (pki / "sa.key").read_bytes()

    def user(self, authorization: str) -> User | None:
        """Of an Authorization header; None when it names nobody."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        return self._users.get(token) or self._service_account(token)

    def issue(self, namespace: str, name: str) -> dict[str, Any]:
        """The `status` of a TokenRequest."""
        body = base64.urlsafe_b64encode(json.dumps([namespace, name]).encode()).decode()
        expires = datetime.now(UTC) + LIFETIME
        return {
            "token": f"{PREFIX}{body}.{self._sign(body)}",
            "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()

    def _service_account(self, token: str) -> User | None:
        body, _, signature = token.removeprefix(PREFIX).partition(".")
        if not token.startswith(PREFIX) or not hmac.compare_digest(self._sign(body), signature):
            return None
        namespace, name = json.loads(base64.urlsafe_b64decode(body))
        return User(
            f"system:serviceaccount:{namespace}:{name}",
            (
                "system:serviceaccounts",
                f"system:serviceaccounts:{namespace}",
                "system:authenticated",
            ),
        )
