"""`requests:` in YAML: what is sent, what counts as a good answer, and that secrets stay secret."""

import json
from collections import Counter
from pathlib import Path

import pytest

from loadtests.requests_yaml import Expect, Request, rows_of
from loadtests.scenario import load_scenario
from loadtests.weights import repeated
from tests.loadtests.service import Handler, played, service

HEAD = """\
name: shop
arrivals: constant
stages: [{rate: 40, duration: 1s}]
request_timeout: 10s
max_in_flight: 20
requests:
"""


def test_all_of_a_request_is_sent_and_the_secret_is_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "s3cret-of-the-shop"
    monkeypatch.setenv("SHOP_TOKEN", secret)
    (tmp_path / "articles.csv").write_text("id,name\n7,pear\n8,fig\n9,plum\n")
    path = tmp_path / "shop.yaml"
    path.write_text(
        HEAD
        + """\
  - {method: PUT, path: "/articles/{id}?key=${SHOP_TOKEN}", values: articles.csv, weight: 3,
     headers: {Authorization: "Bearer ${SHOP_TOKEN}"}, json: {name: "{name}", n: 1}}
  - {method: POST, path: /pay, name: payment, body: "{plain} ${SHOP_TOKEN}"}
"""
    )
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    with service() as there:
        summary, samples = played(load_scenario(str(path)), there.url, run_dir)
    assert summary.scheduled == summary.sent == 40
    assert set(samples.endpoint) == {"PUT /articles/{id}?key=${SHOP_TOKEN}", "POST payment"}
    puts = [s for s in there.seen if s.method == "PUT"]
    posts = [s for s in there.seen if s.method == "POST"]
    assert {s.headers["authorization"] for s in puts} == {f"Bearer {secret}"}
    assert puts[0].headers["content-type"] == "application/json"
    sent = [(s.path, json.loads(s.body)) for s in puts]
    rows = [("7", "pear"), ("8", "fig"), ("9", "plum")]
    expected = [(f"/articles/{i}?key={secret}", {"name": n, "n": 1}) for i, n in rows]
    assert Counter(map(str, sent)).keys() == set(map(str, expected))
    assert {s.body for s in posts} == {f"{{plain}} {secret}"}
    assert len(puts) > len(posts) > 0
    for file in run_dir.iterdir():
        assert secret not in file.read_text()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"body": "all is fine"}, "none"),
        ({"body": "log in"}, "other"),
        ({"body": "fine", "status": 201}, "other"),
        ({"body": "fine", "status": 404}, "4xx"),
        ({"body": "fine", "status": 503}, "5xx"),
        ({"status": 302, "Location": "http://127.0.0.1:1/login"}, "other"),
    ],
)
def test_an_answer_that_is_not_as_expected_is_a_failure(
    tmp_path: Path, answer: dict[str, str], error: str
) -> None:
    """A redirect is an answer, too: it is not followed, least of all to another host."""
    path = tmp_path / "shop.yaml"
    path.write_text(f"{HEAD}  - {{path: /, expect: {{status: 200, text: fine}}}}\n")
    with service(lambda handler: Handler.text(handler, **answer)) as there:  # type: ignore[arg-type]
        _, samples = played(load_scenario(str(path)), there.url, tmp_path)
    assert set(samples.error) == {error}
    assert len(there.seen) == 40


@pytest.mark.parametrize(
    ("expect", "status", "why"),
    [
        (Expect(), 200, ""),
        (Expect(), 204, ""),
        (Expect(), 302, "status 302 where 2xx was expected"),
        (Expect(status=404), 404, ""),
        (Expect(status=(200, 409)), 409, ""),
        (Expect(status=(200, 409)), 201, "status 201 where 200, 409 was expected"),
        (Expect(text="b"), 200, ""),
        (Expect(text="x"), 200, "the expected text is not in the answer"),
    ],
)
def test_what_is_expected(expect: Expect, status: int, why: str) -> None:
    assert expect.misses(status, "abc") == why


def test_a_404_that_is_expected_is_a_success(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(f"{HEAD}  - {{path: /gone, expect: {{status: [404, 410]}}}}\n")
    with service(lambda handler: handler.text(status=404)) as there:
        _, samples = played(load_scenario(str(path)), there.url, tmp_path)
    assert set(samples.error) == {"none"}
    assert set(samples.status) == {404}


def test_a_mix_takes_the_place_of_weights(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(f"{HEAD}  - {{path: /a, weight: 1000}}\n  - {{path: /b}}\nmix: {{GET /b: 1}}\n")
    with service() as there:
        _, samples = played(load_scenario(str(path)), there.url, tmp_path)
    assert set(samples.endpoint) == {"GET /b"}


def test_columns_and_variables_are_filled_and_other_braces_left() -> None:
    request = Request(path="/{a}/${V}", body='{"x": {y}}', headers={"H": "{a}"})
    filled = request.filled({"V": "{a}\n"}, {"a": "1${V}"})  # as a Secret's file often ends
    assert (filled.path, filled.body) == ("/1${V}/{a}", '{"x": {y}}')
    assert filled.headers == {"H": "1${V}"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("a,b\n", "no rows"), ("a,b\n1\n", "line 2: not 2 columns"), ("a\n1,2\n", "line 2: not 1")],
)
def test_a_csv_file_that_is_wrong_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "values.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        rows_of(path)


@pytest.mark.parametrize(
    ("weights", "counts"),
    [((1, 1), (1, 1)), ((40, 30), (4, 3)), ((0.5, 0.25), (2, 1)), ((1.1, 0), (1, 0))],
)
def test_a_task_stands_in_the_list_as_often_as_it_weighs(
    weights: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    found = repeated("ab", weights)
    assert (found.count("a"), found.count("b")) == counts
