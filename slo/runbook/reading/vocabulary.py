"""Words of tables in German, French, Spanish and Portuguese as the English ones that are read.

The words stand in vocabulary.yaml, where others can add to them.
"""

import re
from functools import cache, lru_cache
from pathlib import Path

from ruamel.yaml import YAML

_FILE = Path(__file__).with_name("vocabulary.yaml")


@lru_cache(maxsize=4096)
def header_in_english(header: str) -> str:
    """ "Schweregrad" is "severity"; what is not in the table is given back, in lower case."""
    said = " ".join(header.casefold().split())
    found = [(len(w), meant) for w, meant in _table()["headers"].items() if said.startswith(w)]
    return max(found)[1] if found else said


def in_english(text: str) -> str:
    """A cell or title with the words that are known put into English."""
    return _pattern().sub(lambda m: _table()["words"][m[0].casefold()], text)


@cache
def _table() -> dict[str, dict[str, str]]:
    raw = YAML(typ="safe").load(_FILE.read_text(encoding="utf-8"))
    return {
        part: {
            word.casefold(): meant
            for meant, languages in entries.items()
            for words in languages.values()
            for word in words
        }
        for part, entries in raw.items()
    }


@cache
def _pattern() -> re.Pattern[str]:
    words = sorted(_table()["words"], key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)
