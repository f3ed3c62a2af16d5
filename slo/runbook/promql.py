"""PromQL as a small tree of our own, and what can be told of an expression without running it.

The only module that knows the parser library.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import promql_parser as library

Kind = Literal["per_second", "seconds", "ratio", "percent", "bytes", "count", "unknown"]
"""What a value means. `ratio` is a share of one thing in another, or seconds in a second."""

COMPARISONS = frozenset(("==", "!=", ">", "<", ">=", "<="))
_OPERATORS = {"=": "=", "Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


class PromQLError(Exception):
    """Not PromQL; the message is the parser's own."""


@dataclass(frozen=True, slots=True)
class Matcher:
    name: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class String:
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """`range_s` is None for an instant vector; `moved` says by what offset or @ it is, or ""."""

    name: str
    matchers: tuple[Matcher, ...]
    range_s: float | None = None
    moved: str = ""

    def filtered(self, label: str) -> bool:
        return any(m.name == label for m in self.matchers)


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    args: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`by` or `without` are None where the clause is missing; both None aggregate everything."""

    op: str
    of: "Node"
    by: frozenset[str] | None = None
    without: frozenset[str] | None = None
    parameter: "Node | None" = None


@dataclass(frozen=True, slots=True)
class Binary:
    op: str
    left: "Node"
    right: "Node"
    on: frozenset[str] | None = None
    ignoring: frozenset[str] | None = None
    group: Literal["", "left", "right"] = ""
    as_bool: bool = False


@dataclass(frozen=True, slots=True)
class Negative:
    of: "Node"


@dataclass(frozen=True, slots=True)
class Subquery:
    of: "Node"
    range_s: float
    step_s: float | None = None


Node = Number | String | Selector | Call | Aggregate | Binary | Negative | Subquery


def parse(text: str) -> Node:
    """Raises PromQLError."""
    try:
        return _node(library.parse(text))
    except (ValueError, RecursionError) as error:
        raise PromQLError(" ".join(str(error).split())) from error


def _node(tree: Any) -> Node:  # noqa: PLR0911 - one for each kind of node
    match tree:
        case library.ParenExpr():
            return _node(tree.expr)
        case library.NumberLiteral():
            return Number(float(tree.val))
        case library.StringLiteral():
            return String(str(tree.val))
        case library.VectorSelector():
            return _selector(tree, None)
        case library.MatrixSelector():
            return _selector(tree.vector_selector, tree.range.total_seconds())
        case library.UnaryExpr():
            return Negative(_node(tree.expr))
        case library.SubqueryExpr():
            step = tree.step.total_seconds() if tree.step else None
            range_s = tree.range.total_seconds() if tree.range else 0.0
            return Subquery(_node(tree.expr), range_s, step)
        case library.Call():
            return Call(tree.func.name, tuple(_node(a) for a in tree.args))
        case library.AggregateExpr():
            return _aggregate(tree)
        case library.BinaryExpr():
            return _binary(tree)
        case _:
            raise PromQLError(f"unknown node {type(tree).__name__}")


def _selector(tree: Any, range_s: float | None) -> Selector:
    matchers = [
        Matcher(m.name, _OPERATORS[str(m.op).rpartition(".")[2]], m.value)
        for m in tree.matchers.matchers
    ]
    name = tree.name
    if not name:
        name = next((m.value for m in matchers if m.name == "__name__" and m.op == "="), "")
        matchers = [m for m in matchers if not (m.name == "__name__" and m.op == "=")]
    moved = f"{tree.offset or ''}{'@' if tree.at is not None else ''}"
    return Selector(name, tuple(matchers), range_s, moved)


def _aggregate(tree: Any) -> Aggregate:
    by = without = None
    if tree.modifier is not None:
        labels = frozenset(tree.modifier.labels)
        if tree.modifier.type == library.AggModifierType.By:
            by = labels
        else:
            without = labels
    parameter = None if tree.param is None else _node(tree.param)
    return Aggregate(str(tree.op), _node(tree.expr), by, without, parameter)


def _binary(tree: Any) -> Binary:
    on = ignoring = None
    group: Literal["", "left", "right"] = ""
    as_bool = False
    if tree.modifier is not None:
        as_bool = tree.modifier.return_bool
        if tree.modifier.matching is not None:
            labels = frozenset(tree.modifier.matching.labels)
            if tree.modifier.matching.type == library.LabelModifierType.Include:
                on = labels
            else:
                ignoring = labels
        if tree.modifier.card == library.VectorMatchCardinality.ManyToOne:
            group = "left"
        elif tree.modifier.card == library.VectorMatchCardinality.OneToMany:
            group = "right"
    return Binary(str(tree.op), _node(tree.lhs), _node(tree.rhs), on, ignoring, group, as_bool)


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Call(_, args):
            return args
        case Aggregate(_, of, _, _, parameter):
            return (of,) if parameter is None else (of, parameter)
        case Binary(_, left, right):
            return (left, right)
        case Negative(of) | Subquery(of, _):
            return (of,)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, outermost first."""
    yield node
    for child in children(node):
        yield from walk(child)


def render(node: Node) -> str:
    """The node as PromQL, with more brackets than a person would write. `parse` reads it back,

    but for what moves a selector in time, of which a tree only knows that it is there.
    """
    match node:
        case Number(value):
            return f"{value:g}" if float(f"{value:g}") == value else repr(value)
        case String(value):
            return json.dumps(value, ensure_ascii=False)
        case Selector(name, matchers, range_s):
            inside = ", ".join(
                f"{m.name}{m.op}{json.dumps(m.value, ensure_ascii=False)}" for m in matchers
            )
            shown = name + (f"{{{inside}}}" if inside or not name else "")
            return shown + (f"[{_window(range_s)}]" if range_s is not None else "")
        case Call(function, args):
            return f"{function}({', '.join(map(render, args))})"
        case Aggregate(op, of, by, without, parameter):
            kept = f" by ({', '.join(sorted(by))})" if by is not None else ""
            kept = f" without ({', '.join(sorted(without))})" if without is not None else kept
            first = f"{render(parameter)}, " if parameter is not None else ""
            return f"{op}{kept}{' ' if kept else ''}({first}{render(of)})"
        case Negative(of):
            return f"-({render(of)})"
        case Subquery(of, range_s, step_s):
            return f"({render(of)})[{_window(range_s)}:{_window(step_s) if step_s else ''}]"
        case Binary():
            return _render_binary(node)


def _render_binary(node: Binary) -> str:
    words = node.op + (" bool" if node.as_bool else "")
    if node.on is not None:
        words += f" on ({', '.join(sorted(node.on))})"
    elif node.ignoring is not None:
        words += f" ignoring ({', '.join(sorted(node.ignoring))})"
    words += f" group_{node.group} ()" if node.group else ""
    sides = [
        f"({render(side)})" if isinstance(side, (Binary, Negative)) else render(side)
        for side in (node.left, node.right)
    ]
    return f"{sides[0]} {words} {sides[1]}"


def _window(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"


def selectors(node: Node) -> list[Selector]:
    return [n for n in walk(node) if isinstance(n, Selector)]


def is_scalar(node: Node) -> bool:
    match node:
        case Number() | String():
            return True
        case Call(function, _):
            return function in {"scalar", "time", "pi"}
        case Binary(_, left, right):
            return is_scalar(left) and is_scalar(right)
        case Negative(of):
            return is_scalar(of)
        case _:
            return False


@dataclass(frozen=True, slots=True)
class Labels:
    """Which labels a result keeps: `only` these, or (None) all but `dropped`."""

    only: frozenset[str] | None
    dropped: frozenset[str] = frozenset()

    def keeps(self, label: str) -> bool:
        return label in self.only if self.only is not None else label not in self.dropped

    def without(self, labels: frozenset[str]) -> "Labels":
        if self.only is not None:
            return Labels(self.only - labels)
        return Labels(None, self.dropped | labels)


_ALL, _NONE = Labels(None), Labels(frozenset())


def labels(node: Node) -> Labels:
    """The labels that the elements of a result can still have."""
    match node:
        case Number() | String():
            return _NONE
        case Selector():
            return _ALL
        case Aggregate(op, of, by, without, _):
            if op in {"topk", "bottomk", "limitk", "limit_ratio"}:
                return labels(of)
            if without is not None:
                return labels(of).without(without)
            return Labels(by or frozenset())
        case Call(function, args):
            return _of_call(function, args)
        case Binary():
            return _of_binary(node)
        case Negative(of) | Subquery(of, _):
            return labels(of)


def _of_call(function: str, args: tuple[Node, ...]) -> Labels:
    if function in {"scalar", "time", "absent", "absent_over_time", "vector", "pi"}:
        return _NONE
    found = [labels(a) for a in args if not is_scalar(a)]
    if not found:
        return _NONE
    return found[-1].without(frozenset(("le",))) if function == "histogram_quantile" else found[0]


def _of_binary(node: Binary) -> Labels:
    if is_scalar(node.left):
        return labels(node.right)
    if is_scalar(node.right) or node.op in {"and", "or", "unless"} or node.group == "left":
        return labels(node.left)
    if node.group == "right":
        return labels(node.right)
    if node.on is not None:
        return Labels(node.on)
    return labels(node.left).without(node.ignoring or frozenset())


def comparisons(node: Node) -> Iterator[Binary]:
    """The comparisons that decide whether an alert fires: at the top, or joined by and/or."""
    match node:
        case Binary(op, left, right) if op in {"and", "or", "unless"}:
            yield from comparisons(left)
            if op != "unless":
                yield from comparisons(right)
        case Binary(op) if op in COMPARISONS:
            yield node
        case Aggregate(_, of) | Call(_, (of, *_)):
            yield from comparisons(of)
        case _:
            return


def threshold(node: Binary) -> tuple[Node, str, float] | None:
    """A comparison with a number, as (expression, operator, number), the number on the right."""
    if (value := number(node.right)) is not None and not is_scalar(node.left):
        return node.left, node.op, value
    if (value := number(node.left)) is not None and not is_scalar(node.right):
        turned = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
        return node.right, turned.get(node.op, node.op), value
    return None


def number(node: Node) -> float | None:  # noqa: PLR0911 - one for each operator
    """The value of a constant such as 0.95 or 5 * 60."""
    match node:
        case Number(value):
            return value
        case Negative(of):
            inner = number(of)
            return None if inner is None else -inner
        case Binary(op, left, right):
            a, b = number(left), number(right)
            if a is None or b is None:
                return None
            match op:
                case "*":
                    return a * b
                case "+":
                    return a + b
                case "-":
                    return a - b
                case "/" if b:
                    return a / b
                case _:
                    return None
        case _:
            return None


_RATES = frozenset(("rate", "irate", "deriv"))
_KEEPERS = frozenset(
    [
        "abs",
        "ceil",
        "floor",
        "round",
        "clamp",
        "clamp_min",
        "clamp_max",
        "sort",
        "sort_desc",
        "label_replace",
        "label_join",
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "last_over_time",
        "quantile_over_time",
        "sum_over_time",
        "delta",
        "idelta",
        "vector",
        "scalar",
        "predict_linear",
        "double_exponential_smoothing",
    ]
)


def kind(node: Node) -> Kind:
    """What the expression's values mean, as far as names and operators tell."""
    match node:
        case Selector(name):
            return metric_kind(name)
        case Aggregate(op, of):
            return "count" if op in {"count", "group", "count_values"} else kind(of)
        case Call(function, args):
            return _kind_of_call(function, args)
        case Binary():
            return _kind_of_binary(node)
        case Negative(of) | Subquery(of, _):
            return kind(of)
        case _:
            return "unknown"


def metric_kind(name: str) -> Kind:
    base = name.rpartition(":")[0].rpartition(":")[2] if name.count(":") > 1 else name
    for suffix in ("_total", "_bucket", "_sum"):
        base = base.removesuffix(suffix)
    if name.endswith("_count"):
        return "count"
    for suffix, found in _SUFFIXES:
        if base.endswith(suffix):
            return found
    return "count" if name.endswith("_total") else "unknown"


_SUFFIXES: tuple[tuple[str, Kind], ...] = (
    ("_seconds", "seconds"),
    ("_bytes", "bytes"),
    ("_ratio", "ratio"),
    ("_percent", "percent"),
)


def _kind_of_call(function: str, args: tuple[Node, ...]) -> Kind:
    if function in _RATES and args:
        inner = kind(args[0])
        return {"seconds": "ratio", "count": "per_second"}.get(inner, "unknown")  # type: ignore[return-value]
    if function == "increase" and args:
        return kind(args[0])
    if function in {"histogram_quantile", "histogram_avg"} and args:
        return next((_bucket_kind(s.name) for s in selectors(args[-1])), "unknown")
    if function in {"time", "timestamp"}:
        return "seconds"
    if function in _KEEPERS and args:
        return next((kind(a) for a in args if not is_scalar(a)), "unknown")
    return "unknown"


def _bucket_kind(name: str) -> Kind:
    found = metric_kind(name.removesuffix("_bucket"))
    return "unknown" if found == "count" else found


def _kind_of_binary(node: Binary) -> Kind:
    left, right = number(node.left), number(node.right)
    a, b = kind(node.left), kind(node.right)
    if node.op in COMPARISONS or node.op in {"and", "or", "unless"}:
        return a if left is None else b
    if node.op == "/":
        if right is not None:
            return "ratio" if a == "percent" and right == 100 else _scaled(a, right)  # noqa: PLR2004
        if left is None and a == b:
            # The average of a histogram: its sum over its count.
            return "ratio"
        if {a, b} == {"ratio", "per_second"} and _sum_over_count(node):
            return "seconds"
        return "ratio" if "unknown" in {a, b} else "unknown"
    if node.op == "*" and 100 in {left, right}:  # noqa: PLR2004
        inner = b if left is not None else a
        return "percent" if inner in {"ratio", "unknown"} else inner
    if node.op in {"+", "-"}:
        return b if left is not None else a
    return a if right is not None else b if left is not None else "unknown"


def _scaled(inner: Kind, by: float) -> Kind:
    return inner if by == 1 else "unknown" if inner != "bytes" else "bytes"


def _sum_over_count(node: Binary) -> bool:
    a, b = selectors(node.left), selectors(node.right)
    return bool(a and b and a[0].name.endswith("_sum") and b[0].name == a[0].name[:-4] + "_count")
