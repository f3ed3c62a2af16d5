"""Permissions: the manifests say what the table says."""

from chaos.run import rbac
from service import deploy


def test_the_embedded_overlay_has_what_the_command_prints() -> None:
    found = deploy.manifests("embedded")
    for wanted in rbac.manifests("bizra-system", nodes=True)[1:]:
        assert wanted in found
    home = next(o for o in found if o["kind"] == "Namespace")
    assert home["metadata"]["labels"] == rbac.manifests("x")[0]["metadata"]["labels"]


def test_what_every_run_needs_is_granted_to_the_runner() -> None:
    assert rbac.AROUND < rbac.OF_RUNNER
    assert rbac.OF_WATCHDOG < rbac.OF_RUNNER
