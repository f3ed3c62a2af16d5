"""Requests and answers of the HTTP interface."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from service.api.embedding import DIMENSIONS

MAX_CONTENT = 100_000  # characters
MAX_QUERY = 10_000  # characters


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


Content = Annotated[str, Field(min_length=1, max_length=MAX_CONTENT)]
# Below 1e15, so that the square of a difference stays well inside float32.
Coordinate = Annotated[FiniteFloat, Field(ge=-1e15, le=1e15)]


class ContentIn(_Request):
    content: Content


class SearchIn(_Request):
    """Exactly one of `text` and `vector`."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_QUERY)] | None = None
    vector: (
        Annotated[list[Coordinate], Field(min_length=DIMENSIONS, max_length=DIMENSIONS)] | None
    ) = None
    k: Annotated[int, Field(ge=1, le=100)] = 10

    @model_validator(mode="after")
    def _one_query(self) -> "SearchIn":
        if (self.text is None) == (self.vector is None):
            raise ValueError("give exactly one of text and vector")
        return self


class ScoreOut(BaseModel):
    score: float
    passed: bool
    threshold: float
    dimensions: dict[str, float]
    weights: dict[str, float]


class NeighbourOut(BaseModel):
    id: int
    distance: float  # squared Euclidean


class SearchOut(BaseModel):
    results: list[NeighbourOut]


class AttestationOut(BaseModel):
    id: str
    created: bool  # false when the same content was attested before
    score: float
    passed: bool
    terms: list[str]


class RelatedItem(BaseModel):
    id: str
    score: float
    passed: bool
    shared: int  # terms in common


class RelatedOut(BaseModel):
    id: str
    related: list[RelatedItem]


class Health(BaseModel):
    status: str  # starting, ok, degraded
    components: dict[str, str]  # up, down, unknown
    reasons: dict[str, str]  # for the components that are down


class Ready(BaseModel):
    ready: bool
