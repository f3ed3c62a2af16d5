"""Which edition of Neo4j the manifests run, told by the tag of its image.

The official image is Community unless its tag says enterprise: neo4j:5.13 and neo4j:latest are
Community, neo4j:5.13-enterprise is not (Docker's page of the image, "Tags").
"""

import re
from enum import StrEnum

from slo.runbook.lint.objects import Objects

_NEO4J = re.compile(r"(?:^|/)neo4j(?::(?P<tag>[\w.-]+))?(?P<digest>@\S+)?$")
_OFFICIAL_TAG = re.compile(r"latest|community|v?\d")


class Edition(StrEnum):
    COMMUNITY = "Community"
    ENTERPRISE = "Enterprise"


def neo4j_edition(objects: Objects | None) -> Edition | None:
    """None where there are no manifests, no Neo4j in them, or a tag that does not tell.

    Enterprise if any of the images is: the commands may be meant for that one.
    """
    found = {_edition_of(image) for image in objects.images()} if objects else set()
    return next((e for e in (Edition.ENTERPRISE, Edition.COMMUNITY) if e in found), None)


def _edition_of(image: str) -> Edition | None:
    match = _NEO4J.search(image)
    if not match:
        return None
    tag = match["tag"] or ("" if match["digest"] else "latest")
    if "enterprise" in tag:
        return Edition.ENTERPRISE
    return Edition.COMMUNITY if _OFFICIAL_TAG.match(tag) else None
