"""The cluster's DNS names, as a pod's /etc/hosts has them."""

from typing import Any

from service.cluster.agent.environment import host_names
from tests.cluster.objects import at, meta, pod

Json = dict[str, Any]


def service(name: str, address: str | None, **spec: Any) -> Json:
    return {"metadata": meta(name), "spec": {"clusterIP": address, **spec}}


def names(services: list[Json], pods: list[Json], home: str = "test") -> dict[str, set[str]]:
    return {a: set(found) for a, found in host_names(services, pods, home).items()}


def test_a_service_has_its_names_and_a_short_one_at_home() -> None:
    full = {"web.test", "web.test.svc", "web.test.svc.cluster.local"}
    assert names([service("web", "127.64.128.1")], []) == {"127.64.128.1": {"web", *full}}
    assert names([service("web", "127.64.128.1")], [], "other") == {"127.64.128.1": full}


def test_a_headless_service_leads_to_its_ready_pods() -> None:
    headless = service("web", "None", selector={"app": "web"})
    ready, unready = pod("a"), pod("b", ready=False)
    going, other = pod("c", deletionTimestamp=at(9)), pod("d", labels={"app": "other"})
    pods = [ready, unready, going, other]
    assert list(names([headless], pods)) == [ready["status"]["podIP"]]
    headless["spec"]["publishNotReadyAddresses"] = True
    found = names([headless], pods)
    assert set(found) == {p["status"]["podIP"] for p in (ready, unready, going)}
    assert all("web.test.svc" in each for each in found.values())


def test_pods_of_a_stateful_set_have_names_of_their_own() -> None:
    headless = service("db", "None", selector={"app": "web"})
    member = pod("db-0")
    member["spec"] |= {"hostname": "db-0", "subdomain": "db"}
    (found,) = names([headless], [member]).values()
    assert {"db", "db-0.db", "db-0.db.test.svc.cluster.local"} <= found


def test_an_alias_has_the_address_of_what_it_names() -> None:
    alias = service("old", None, type="ExternalName", externalName="web.test.svc.cluster.local")
    found = names([alias, service("web", "127.64.128.1")], [])
    assert {"old", "old.test.svc", "web"} <= found["127.64.128.1"]
