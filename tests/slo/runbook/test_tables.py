"""Tables by what their headers and cells say, in the words and languages that teams use."""

import pytest

from slo.model import Comparison, Severity, Unit
from slo.runbook.model import Runbook
from slo.runbook.reader import survey


def table(header: str, *rows: str, title: str = "Shop") -> Runbook:
    line = "|" + "---|" * (header.count("|") - 1)
    return survey("\n".join([f"## {title}", "", header, line, *rows, ""]), "x.md")


@pytest.mark.parametrize(
    ("target", "critical", "unit", "values"),
    [
        ("p99 < 250 ms", "p99 > 2 s", Unit.SECONDS, (0.25, 2)),
        ("< 200ms (p95)", "> 500ms (p95)", Unit.SECONDS, (0.2, 0.5)),
        ("< 5m", "> 15m", Unit.SECONDS, (300, 900)),
        ("2 hours", "1 day", Unit.SECONDS, (7200, 86400)),
        ("< 10 secs", "> 1 minute", Unit.SECONDS, (10, 60)),
        ("< 256Mi", "> 1Gi", Unit.BYTES, (2**28, 2**30)),
        ("> 50 req/sec", "< 5 req/sec", Unit.PER_SECOND, (50, 5)),
        ("**< 70%**", "`> 90%`", Unit.RATIO, (0.7, 0.9)),
        ("< 70% used", "> 95% used", Unit.RATIO, (0.7, 0.95)),
        ("<1% over 10m", ">5% over 10m", Unit.RATIO, (0.01, 0.05)),
        ("≥ 99.95 %", "<99.5 %", Unit.RATIO, (0.9995, 0.995)),
        ("< 0,1 %", "> 2,5 %", Unit.RATIO, (0.001, 0.025)),
        ("< 20", "> 1,000", Unit.COUNT, (20, 1000)),
        ("0", "> 6/h", Unit.PER_SECOND, (0, 6 / 3600)),
        ("höchstens 3 Stunden", "über 1 Tag", Unit.SECONDS, (3 * 3600, 86400)),
        ("moins de 2 secondes", "plus de 3 minutes", Unit.SECONDS, (2, 180)),
    ],
)
def test_cells_as_people_write_them(
    target: str, critical: str, unit: Unit, values: tuple[float, float]
) -> None:
    (found,) = table(
        "| Metric | Target | Critical |", f"| Lag of it | {target} | {critical} |"
    ).objectives
    assert found.unit is unit
    assert (found.target, found.critical) == pytest.approx(values)


def test_a_target_of_nought_can_be_met() -> None:
    (found,) = table("| Metric | Target | Critical |", "| Restarts | 0 | > 3 |").objectives
    assert 0 < found.target < 1e-300


@pytest.mark.parametrize("cell", ["< 1 Gb/s", "< 3 parsec", "soon"])
def test_a_cell_that_is_not_understood_is_refused_with_the_reason(cell: str) -> None:
    book = table("| Metric | Target | Critical |", f"| Speed | {cell} | > 9 |")
    assert [u.kind for u in book.unread] == ["objective"]
    assert cell in book.unread[0].reason


@pytest.mark.parametrize(
    ("header", "row", "comparison", "values"),
    [
        ("| Metric | Warning | Critical |", "| Lag | > 2s | > 9s |", "<", (2, 9)),
        ("| Signal | Good | Warning | Critical |", "| FPS | > 50 | 20-50 | < 20 |", ">", (50, 20)),
        ("| SLI | SLO | Error budget |", "| Uptime | 99.5% | 3.6 h |", ">", (0.995, 0.995)),
        ("| SLO | Target | Alert |", "| Lag | < 3s | `SlowLag` |", "<", (3, 3)),
        ("| Metric | Threshold | Action |", "| Lag | > 4s for 10m | page |", "<", (4, 4)),
        ("| SLO | Target |", "| Lag | at most 3s |", "<", (3, 3)),
    ],
)
def test_objectives_under_other_headers(
    header: str, row: str, comparison: str, values: tuple[float, float]
) -> None:
    (found,) = table(header, row).objectives
    assert found.comparison is Comparison(comparison)
    assert (found.target, found.critical) == pytest.approx(values)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("| Resource | Limit | Owner |", "| Budget | ask Eve | web |"),
        ("| Component | Monthly cost |", "| Load balancer | $18 |"),
        ("| Component | Tests | Status |", "| Form | 19 | done |"),
        ("| Objective | Target |", "| Be nice | everybody |"),
    ],
)
def test_a_table_that_only_looks_like_one_is_left_alone(header: str, row: str) -> None:
    book = table(header, row)
    assert (book.objectives, book.components) == ((), ())
    assert [u.kind for u in book.unread] == ["table"]


def test_severities_backups_recovery_targets_and_alerts_in_words() -> None:
    (level,) = table(
        "| Severity | Acknowledgement | Initial response |", "| P2 | 10 min | 30 min |"
    ).severities
    assert (level.severity, level.response_time_s) == (Severity.SEV2, 1800)
    (level,) = table("| Severity | Acknowledgement |", "| P2 | 10 min |").severities
    assert level.response_time_s == 600
    (backup,) = table(
        "| Backup type | Schedule | Retention |", "| Full | weekly | 9 days |"
    ).backups
    assert (backup.component, backup.interval_s) == ("Full", 7 * 86400)
    plain = "| Component | Strategy | Retention |", "| MySQL | managed | 14 days |"
    assert [b.component for b in table(*plain, title="Backup").backups] == ["MySQL"]
    (goal,) = table("| Tier | Service | RPO | RTO |", "| 2 | db | 5 min | 4 h |").recovery
    assert (goal.name, goal.rpo_s, goal.rto_s) == ("db, tier 2", 300, 4 * 3600)
    (alert,) = table("| Alert | Threshold | Severity |", "| Old | > 26h | high |").alerts_in_words
    assert (alert.name, alert.condition, alert.severity) == ("Old", "> 26h", "high")


def test_a_condition_is_promql_only_if_it_parses() -> None:
    book = table(
        "| Alert | Condition |", "| A | limiter says no > 5% |", "| B | `sum(lag_seconds) > 3` |"
    )
    assert [a.name for a in book.alerts] == ["B"]
    assert [a.name for a in book.alerts_in_words] == ["A"]
    assert book.tabled == ()


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("| Stufe | Reaktionszeit | Beschreibung |", "| P1 | 20 Minuten | Ausfall |"),
        ("| Gravité | Temps de réponse | Description |", "| P1 | 20 minutes | Panne |"),
        ("| Gravedad | Tiempo de respuesta | Descripción |", "| P1 | 20 minutos | Caída |"),
        ("| Gravidade | Tempo de resposta | Descrição |", "| P1 | 20 minutos | Queda |"),
    ],
)
def test_severities_in_other_languages(header: str, row: str) -> None:
    (level,) = table(header, row).severities
    assert (level.response_time_s, bool(level.description)) == (1200, True)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("| Messgröße | Ziel | Kritisch |", "| Fehlerrate | < 0,1 % | > 2 % |"),
        ("| Indicateur | Objectif | Critique |", "| Taux d'erreurs | < 0,1 % | > 2 % |"),
        ("| Métrica | Objetivo | Crítico |", "| Tasa de errores | < 0,1 % | > 2 % |"),
        ("| Métrica | Meta | Crítico |", "| Taxa de erros | < 0,1 % | > 2 % |"),
    ],
)
def test_objectives_in_other_languages_are_those_that_we_measure(header: str, row: str) -> None:
    (found,) = table(header, row).objectives
    assert (found.name, found.target) == ("error_rate", pytest.approx(0.001))


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("| Komponente | Häufigkeit | Aufbewahrung |", "| Redis | täglich | 3 Tage |"),
        ("| Composant | Fréquence | Rétention |", "| Redis | tous les jours | 3 jours |"),
        ("| Componente | Frecuencia | Retención |", "| Redis | diario | 3 días |"),
        ("| Componente | Frequência | Retenção |", "| Redis | diariamente | 3 dias |"),
    ],
)
def test_backups_in_other_languages(header: str, row: str) -> None:
    (found,) = table(header, row).backups
    assert (found.interval_s, found.retention_s) == (86400, 3 * 86400)
