"""The policy: its defaults are written out, and what is wrong with one is said with its line."""

import re
from pathlib import Path

import pytest

from slo.documents import DocumentError
from slo.policy import BUNDLED_POLICY, Policy, read_policy


def test_the_bundled_policy_spells_out_the_defaults() -> None:
    assert read_policy(BUNDLED_POLICY) == Policy()
    told = set(re.findall(r"^  (?:- \{)?(\w+):", BUNDLED_POLICY.read_text(), re.MULTILINE))
    known = {*type(Policy().comparison).model_fields, *type(Policy().error_budget).model_fields}
    assert known <= told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("comparison:\n  confidence: 101%\n", "line 2: field 'comparison.confidence'"),
        ("comparison:\n  confidance: 99%\n", "line 2: unknown field 'comparison.confidance'"),
        ("comparison:\n  failing: a lot\n", "line 2: field 'comparison.failing'"),
        ("error_budget:\n  period: month\n", "line 2: field 'error_budget.period'"),
        (
            "error_budget:\n  alerts:\n    - {long: 5m, short: 1h, burn_rate: 2}\n",
            "line 3: field 'error_budget.alerts[0]'",
        ),
        ("budget: {}\n", "line 1: unknown field 'budget'"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_field(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(DocumentError, match=re.escape(f"policy.yaml, {said}")):
        read_policy(path)
