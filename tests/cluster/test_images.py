"""Which program an image of a manifest is on the embedded cluster."""

import pytest

from service.cluster.images import Images, UnknownImageError


@pytest.mark.parametrize(
    "image",
    ["neo4j:5.26-enterprise", "neo4j:enterprise", "registry.local/neo4j:2026-enterprise-ubi9"],
)
def test_the_licensed_edition_is_not_to_be_had(image: str) -> None:
    with pytest.raises(
        UnknownImageError, match=f'failed to pull and unpack image "{image}".*not found'
    ):
        Images().find(image)


@pytest.mark.parametrize(
    "image", ["neo4j:5", "neo4j:5.26-community", "registry.local/neo4j:2026.09"]
)
def test_every_other_tag_of_neo4j_is_the_series_that_was_asked_for(image: str) -> None:
    for series in ("5", "2026"):
        entry = Images(neo4j=series).find(image)
        assert [*entry.entrypoint, *entry.arguments][-2:] == ["--series", series]
