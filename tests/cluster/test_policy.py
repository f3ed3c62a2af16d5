"""NetworkPolicies as decisions, by tables of cases and by properties."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cluster.bpf import ALLOWED, RESTRICTED
from service.cluster.policy import ENFORCED, Firewall
from service.cluster.proxy import sources
from tests.cluster.objects import meta

Json = dict[str, Any]
API, WEB, CACHE, ALIEN, OUTSIDE = "127.70.0.1", "127.70.0.2", "127.70.0.3", "127.70.0.4", "10.1.2.3"


def member(address: str, app: str, home: str = "test", port: int = 8000) -> Json:
    ports = [{"containerPort": port, "name": "http"}]
    return {
        "metadata": {**meta(app, labels={"app": app}), "namespace": home},
        "spec": {"containers": [{"name": "c", "ports": ports}]},
        "status": {"podIP": address, "phase": "Running"},
    }


PODS = [
    member(API, "api"),
    member(WEB, "web"),
    member(CACHE, "cache", port=6379),
    member(ALIEN, "web", "other"),
]
SPACES = [{"metadata": {"name": n, "labels": {"team": n}}} for n in ("test", "other")]


def firewall(*specs: Json) -> Firewall:
    return Firewall(PODS, SPACES, [{"metadata": meta("p"), "spec": spec} for spec in specs])


def on(app: str, **rules: Any) -> Json:
    return {"podSelector": {"matchLabels": {"app": app}}, **rules}


def who(app: str) -> Json:
    return {"podSelector": {"matchLabels": {"app": app}}}


SPACE = {"namespaceSelector": {"matchLabels": {"team": "other"}}}
BLOCK = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.9.0.0/16"]}}


@pytest.mark.parametrize(
    ("why", "spec", "flow", "allowed"),
    [
        ("no policy for it", on("cache"), (WEB, API, 8000), True),
        ("isolated", on("api"), (WEB, API, 8000), False),
        ("isolated from outside", on("api"), (OUTSIDE, API, 8000), False),
        ("itself", on("api"), (API, API, 8000), True),
        ("its own connections are free", on("api"), (API, CACHE, 6379), True),
        ("an empty rule lets all in", on("api", ingress=[{}]), (OUTSIDE, API, 1), True),
        ("by label", on("api", ingress=[{"from": [who("web")]}]), (WEB, API, 8000), True),
        ("another label", on("api", ingress=[{"from": [who("web")]}]), (CACHE, API, 8000), False),
        ("the label elsewhere", on("api", ingress=[{"from": [who("web")]}]), (ALIEN, API, 1),
         False),
        ("by namespace", on("api", ingress=[{"from": [SPACE]}]), (ALIEN, API, 1), True),
        ("another namespace", on("api", ingress=[{"from": [SPACE]}]), (WEB, API, 1), False),
        ("both at once", on("api", ingress=[{"from": [{**SPACE, **who("db")}]}]), (ALIEN, API, 1),
         False),
        ("either", on("api", ingress=[{"from": [who("db"), SPACE]}]), (ALIEN, API, 1), True),
        ("by port", on("api", ingress=[{"ports": [{"port": 8000}]}]), (WEB, API, 8000), True),
        ("another port", on("api", ingress=[{"ports": [{"port": 8000}]}]), (WEB, API, 80), False),
        ("by a port's name", on("api", ingress=[{"ports": [{"port": "http"}]}]), (WEB, API, 8000),
         True),
        ("a range", on("api", ingress=[{"ports": [{"port": 10, "endPort": 12}]}]), (WEB, API, 12),
         True),
        ("past the range", on("api", ingress=[{"ports": [{"port": 10, "endPort": 12}]}]),
         (WEB, API, 13), False),
        ("only UDP", on("api", ingress=[{"ports": [{"protocol": "UDP", "port": 5}]}]),
         (WEB, API, 5), False),
        ("a block", on("api", ingress=[{"from": [BLOCK]}]), (OUTSIDE, API, 1), True),
        ("its exception", on("api", ingress=[{"from": [BLOCK]}]), ("10.9.1.1", API, 1), False),
        ("a block is no pod", on("api", ingress=[{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]),
         (WEB, API, 1), False),
        ("egress is cut", on("api", policyTypes=["Egress"]), (API, CACHE, 6379), False),
        ("and ingress not", on("api", policyTypes=["Egress"]), (WEB, API, 8000), True),
        ("egress by label", on("api", egress=[{"to": [who("cache")]}], policyTypes=["Egress"]),
         (API, CACHE, 6379), True),
        ("egress by the server's port name", on("api", policyTypes=["Egress"],
         egress=[{"ports": [{"port": "http"}]}]), (API, CACHE, 6379), True),
        ("egress to a block", on("api", egress=[{"to": [BLOCK]}]), (API, OUTSIDE, 443), True),
        ("egress elsewhere", on("api", egress=[{"to": [BLOCK]}]), (API, "11.0.0.1", 443), False),
    ],
)  # fmt: skip
def test_what_a_policy_allows(
    why: str, spec: Json, flow: tuple[str, str, int], allowed: bool  # noqa: FBT001 - a table's
) -> None:  # fmt: skip
    assert firewall(spec).permits(*flow) is allowed, why


def test_policies_add_up_and_both_ends_must_agree() -> None:
    apart = firewall(on("api"), on("api", ingress=[{"from": [who("web")]}]))
    assert apart.permits(WEB, API, 8000)
    shut = on("web", policyTypes=["Egress"])
    assert not firewall(shut, on("api", ingress=[{"from": [who("web")]}])).permits(WEB, API, 8000)


def test_the_table_has_what_is_restricted_and_nothing_else() -> None:
    assert firewall().table({}, ["127.0.0.1"]) == {}
    shut = firewall(on("api", ingress=[{"from": [who("web")], "ports": [{"port": 8000}]}]))
    front = ("127.70.128.1", 80)
    table = shut.table({front: [(API, 8000)]}, ["127.0.0.1"])
    assert table == {
        (WEB, API, 0): RESTRICTED,
        (WEB, API, 8000): ALLOWED,
        (CACHE, API, 0): RESTRICTED,
        (ALIEN, API, 0): RESTRICTED,
        (API, *front): ALLOWED,
        (WEB, *front): ALLOWED,
        (CACHE, front[0], 0): RESTRICTED,
        (ALIEN, front[0], 0): RESTRICTED,
    }


def test_a_pod_with_restricted_egress_reaches_what_is_listed() -> None:
    spec = on("api", policyTypes=["Egress"], egress=[{"to": [who("cache")]}])
    front = ("127.70.128.1", 6379)
    table = firewall(spec).table({front: [(CACHE, 6379)]}, ["127.70.255.1"])
    assert table[API, CACHE, 0] == table[API, API, 0] == table[API, *front] == ALLOWED
    assert table[API, WEB, 0] == table[API, "127.70.255.1", 0] == RESTRICTED
    assert table[API, "", 0] == RESTRICTED


PEERS = st.sampled_from([who("web"), who("api"), who("cache"), SPACE, BLOCK])
RULES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "from": st.lists(PEERS, max_size=2),
            "to": st.lists(PEERS, max_size=2),
            "ports": st.lists(st.builds(lambda p: {"port": p}, st.sampled_from([6379, 8000]))),
        },
    ),
    max_size=2,
)
SPECS = st.builds(
    lambda app, ingress, egress, types: on(app, ingress=ingress, egress=egress, policyTypes=types),
    st.sampled_from(["api", "web", "cache"]),
    RULES,
    RULES,
    st.lists(st.sampled_from(["Ingress", "Egress"]), min_size=1, max_size=2, unique=True),
)


@given(st.lists(SPECS, max_size=4))
def test_the_table_decides_as_the_policies_do(specs: list[Json]) -> None:
    """Read as the packet filter reads it."""
    wall = firewall(*specs)
    table = wall.table({}, [])

    def passes(client: str, server: str, port: int) -> bool:
        rule = table.get((client, server, 0))
        if rule is None:
            rule = table.get((client, "", 0), ALLOWED)
            return rule == ALLOWED or (client, "", port) in table
        return rule == ALLOWED or (client, server, port) in table

    for client in (API, WEB, CACHE, ALIEN):
        for server in (API, WEB, CACHE, ALIEN):
            for port in (6379, 8000, 9):
                assert passes(client, server, port) == wall.permits(client, server, port)


@given(st.lists(SPECS, max_size=3), SPECS)
def test_another_policy_frees_nobody_who_was_not_selected(specs: list[Json], more: Json) -> None:
    """Only the pods that it selects may gain connections by a further policy."""
    before, after = firewall(*specs), firewall(*specs, more)
    selected = more["podSelector"]["matchLabels"]["app"]
    apps = {API: "api", WEB: "web", CACHE: "cache"}
    for client in (API, WEB, CACHE):
        for server in (API, WEB, CACHE):
            if selected not in (apps[client], apps[server]):
                assert before.permits(client, server, 9) == after.permits(client, server, 9)


def test_where_sources_are_not_told_no_policy_is_applied() -> None:
    def node(value: str) -> Json:
        return {"metadata": meta("n", annotations={ENFORCED: value}), "spec": {}}

    wall = firewall(on("api"))
    strict = sources(wall, [node("true")])
    assert not strict.permits("127.0.0.1", (API, 8000))
    assert strict.pods == {API, WEB, CACHE, ALIEN}
    lax = sources(wall, [node("true"), node("false")])
    assert lax.permits("127.0.0.1", (API, 8000))
    assert not lax.pods
