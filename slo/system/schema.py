"""The JSON Schema of a document, for editors and for whoever writes such files by a program."""

import json
from typing import Any

from pydantic import BaseModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(model: type[BaseModel], title: str) -> str:
    """As a file: sorted keys, a line feed at the end, the same bytes each time."""
    found: dict[str, Any] = model.model_json_schema(by_alias=True, mode="validation")
    found |= {"$schema": DIALECT, "title": title}
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
