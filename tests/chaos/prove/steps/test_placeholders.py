"""What a person fills in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.prove.steps.placeholders import PlaceholderError, fill, key


def test_each_placeholder_is_filled_by_its_name() -> None:
    filled = fill(
        "kubectl describe pod <pod-name> -n shop; echo v1.x.x YYYYMMDD",
        ("<pod-name>", "v1.x.x", "YYYYMMDD"),
        {"pod-name": "api-7x", "version": "v1.2.3", "date": "20260102"},
    )
    assert filled.text == "kubectl describe pod api-7x -n shop; echo v1.2.3 20260102"
    assert filled.values["<pod-name>"] == "api-7x"


def test_what_is_not_known_is_asked_for() -> None:
    with pytest.raises(PlaceholderError, match="--set pod-name=VALUE"):
        fill("kubectl logs <pod-name>", ("<pod-name>",), {})


@given(st.text(max_size=9), st.sampled_from(";|&$`(){}<>'\"\\ \n*?[]#~!"), st.text(max_size=9))
def test_no_value_is_more_than_a_word_to_the_shell(before: str, bad: str, after: str) -> None:
    with pytest.raises(PlaceholderError):
        fill("echo <x>", ("<x>",), {"x": before + bad + after})


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("<pod-name>", "pod-name"),
        ("<POD_NAME>", "pod-name"),
        ("<new password>", "new-password"),
        ("{{ pod }}", "{{-pod-}}"),
        ("v1.x.x", "version"),
        ("1.x", "version"),
        ("YYYY-MM-DD", "date"),
    ],
)
def test_names_of_placeholders(written: str, name: str) -> None:
    assert key(written).strip("{}- ") == name.strip("{}- ")
