"""A recording's secrets are in none of the files that are written of it."""

import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from chaos.discovery import har
from chaos.discovery.folder import Findings, files
from chaos.discovery.workload import FoundWorkload
from slo.system.model import Target

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl"
RANDOM = "q8Zr2LmX0vTn5KcW7yBd"


def entry(method: str, url: str, *, body: Any = None, **headers: str) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": method,
        "url": url,
        "headers": [{"name": k.replace("_", "-"), "value": v} for k, v in headers.items()],
        "cookies": [{"name": "sid", "value": "c00kie-value"}],
    }
    if body is not None:
        request["postData"] = {"mimeType": "application/json", "text": json.dumps(body)}
    return {"request": request}


def written(*entries: dict[str, Any]) -> dict[str, str]:
    calls = har.calls({"log": {"entries": list(entries)}}, None)
    workload = FoundWorkload(
        target=Target(namespace="shop", workload="shop", service="shop"),
        replicas=2,
        labels={"app": "shop"},
        guesses=(),
    )
    found = Findings(
        workload=workload,
        access=None,
        metrics=None,
        calls=[c for c in calls if c.safe],
        left_out=[f"{c.method} {c.example}: answered 401" for c in calls],
        writes=[c for c in calls if not c.safe],
        times=(),
        runbook=None,
        locustfile=None,
    )
    return files(found)


SECRETS = {
    "c00kie-value": entry("GET", "https://shop.example/a", Cookie="sid=c00kie-value; theme=dark"),
    "t0ken-value": entry("GET", "https://shop.example/a", Authorization="Bearer t0ken-value"),
    "k3y-value": entry("GET", "https://shop.example/a", X_API_Key="k3y-value"),
    "csrf-value": entry("POST", "https://shop.example/a", X_XSRF_TOKEN="csrf-value"),
    "in-query": entry("GET", "https://shop.example/a?page=2&access_token=in-query"),
    "in-camel": entry("GET", "https://shop.example/a?sessionId=in-camel"),
    "in%2Fsignature": entry("GET", "https://shop.example/a?X-Amz-Signature=in%2Fsignature"),
    JWT: entry("GET", f"https://shop.example/reset/{JWT}"),
    RANDOM: entry("GET", f"https://shop.example/a?x={RANDOM}"),
    "hunter2": entry("POST", "https://shop.example/a", body={"user": {"password": "hunter2"}}),
    "r3fresh": entry("POST", "https://shop.example/a", body=[{"refreshToken": "r3fresh"}]),
    "us:pass": entry("GET", "https://us:pass@shop.example/a"),
    "482913": entry("POST", "https://shop.example/a", body={"otp": 482913}),
}


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_of_a_recording_gets_into_a_file(secret: str) -> None:
    for name, text in written(SECRETS[secret]).items():
        assert secret not in text, name
        assert "c00kie-value" not in text, name


def test_what_is_no_secret_is_kept() -> None:
    page = entry("GET", "https://shop.example/items/507f1f77bcf86cd799439011?page=2&q=red+shoes")
    order = entry("POST", "https://shop.example/orders", body={"item": "red shoes", "count": 2})
    users = written(page, order)["locustfile.py"]
    assert 'get("/items/507f1f77bcf86cd799439011?page=2&q=red+shoes"' in users
    assert """post("/orders", json={'item': "red shoes", 'count': 2})""" in users
    assert "environ" not in users


def test_the_users_have_the_secrets_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    users = written(
        entry("GET", "https://shop.example/a?page=2&token=old", Authorization="Bearer old-value"),
        entry("POST", "https://shop.example/login", body={"name": "us", "password": "old-pass"}),
    )["locustfile.py"]
    given = {
        "HAR_TOKEN": "n3w/token",
        "HAR_AUTHORIZATION": "Bearer n3w",
        "HAR_PASSWORD": "n3w-pass",
    }
    # Locust itself would patch this process.
    locust = SimpleNamespace(FastHttpUser=object, task=lambda user: user)
    monkeypatch.setitem(sys.modules, "locust", locust)
    with pytest.raises(KeyError, match="HAR_"):
        exec(compile(users, "locustfile.py", "exec"), {})
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    space: dict[str, Any] = {}
    exec(compile(users, "locustfile.py", "exec"), space)
    asked: list[tuple[str, str, Any]] = []

    class Client:
        def get(self, path: str, **options: Any) -> None:
            asked.append(("GET", path, options))

        def post(self, path: str, **options: Any) -> None:
            asked.append(("POST", path, options))

    user = type("User", (), {"client": Client()})()
    for name in ("get_a", "post_login"):
        getattr(space["ServiceUser"], name)(user)
    headers = {"Authorization": "Bearer n3w"}
    assert asked == [
        ("GET", "/a?page=2&token=n3w%2Ftoken", {"name": "/a", "headers": headers}),
        ("POST", "/login", {"json": {"name": "us", "password": "n3w-pass"}}),
    ]
