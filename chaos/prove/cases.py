"""One procedure tried in several cases, and one answer made of them."""

from collections.abc import Sequence
from dataclasses import replace

from slo.verdict.proofs import ProcedureProof, ProofOutcome, together

NOT_PUT_BACK = "NOT PUT BACK"  # what a proof's account of the putting back begins with then
_WORST_FIRST = (
    ProofOutcome.REFUTED,
    ProofOutcome.INCONCLUSIVE,
    ProofOutcome.NOT_VERIFIABLE,
    ProofOutcome.PROVEN,
)


def combined(
    cases: Sequence[tuple[str, ProcedureProof]], *, condition: str, claim: str
) -> ProcedureProof:
    """The worst finding counts and is told first; steps and sights name their case.

    Times to detect and to recover are the longest, the severity the highest.
    """
    told = sorted(cases, key=lambda case: _WORST_FIRST.index(case[1].finding))
    proofs = [proof for _, proof in cases]
    finding = together(tuple(p.finding for p in proofs))
    open_ones = [(name, p) for name, p in told if p.finding is not ProofOutcome.PROVEN]
    names = ", ".join(name for name, _ in cases)
    reason = "; ".join(f"{name}: {p.reason}" for name, p in open_ones) or f"{claim}: {names}"
    worst = min((p for p in proofs if p.severity), key=lambda p: p.severity, default=proofs[0])
    backs = sorted(
        (p.put_back for p in proofs if p.put_back), key=lambda b: not b.startswith(NOT_PUT_BACK)
    )
    return replace(
        proofs[0],
        condition=condition,
        finding=finding,
        reason=reason,
        seconds=sum(p.seconds for p in proofs),
        line=next((p.line for _, p in open_ones if p.line is not None), None),
        steps=tuple(
            replace(s, note="; ".join(filter(None, (f"case: {name}", s.note))))
            for name, p in cases
            for s in p.steps
        ),
        sights=tuple(replace(s, name=f"{name}: {s.name}") for name, p in cases for s in p.sights),
        time_to_detect_s=_longest([p.time_to_detect_s for p in proofs]),
        time_to_recover_s=_longest([p.time_to_recover_s for p in proofs]),
        severity=worst.severity,
        response_time_s=worst.response_time_s,
        requests=sum(p.requests for p in proofs),
        failed_requests=sum(p.failed_requests for p in proofs),
        put_back="; ".join(dict.fromkeys(backs)),
        databases=next((p.databases for p in proofs if p.databases), ()),
    )


def _longest(times: list[float | None]) -> float | None:
    return max((t for t in times if t is not None), default=None)
