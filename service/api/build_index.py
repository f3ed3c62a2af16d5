"""`python -m service.api.build_index PATH`: make the reference index, the same on every machine.

Vector i is the embedding of `document(i)`, a sentence drawn from a small vocabulary, so that a text
query finds the sentences that are like it. Production's shape: --vectors 100000 --nlist 4096
--nprobe 64.
"""

import argparse
import os
import random
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.api.embedding import embed
from service.api.index import build


def _lexicon(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SUBJECTS = _lexicon("""seed harvest orchard river market school clinic workshop library bridge
    garden well caravan harbour loom kiln granary archive council village""")
_VERBS = _lexicon("""records attests confirms describes measures repays protects restores teaches
    shares audits promises delivers explains questions supports""")
_OBJECTS = _lexicon("""trust water grain labour knowledge medicine shelter timber cloth fairness
    patience honesty craft trade memory weather accounts gratitude evidence kinship""")
_PLACES = _lexicon(
    """valley coast mountain desert plain island city steppe delta forest oasis plateau"""
)


def document(number: int) -> str:
    """The text behind vector `number`, e.g. for checking that a search finds it."""
    draw = random.Random(number)  # noqa: S311  (reproducible, not secret)
    clauses = [
        f"the {draw.choice(_SUBJECTS)} of the {draw.choice(_PLACES)} {draw.choice(_VERBS)} "
        f"{draw.choice(_OBJECTS)} and {draw.choice(_OBJECTS)}"
        for _ in range(2)
    ]
    return f"Attestation {number}: {clauses[0]}, because {clauses[1]}."


def documents(start: int, stop: int) -> npt.NDArray[np.float32]:
    """Embeddings of documents start..stop-1, shape (stop - start, 768)."""
    return np.stack([embed(document(number)) for number in range(start, stop)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m service.api.build_index", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--vectors", type=int, default=20_000)
    parser.add_argument("--nlist", type=int, default=256)
    parser.add_argument("--nprobe", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if not 1 <= options.nlist <= options.vectors:
        parser.error("--nlist must be at least 1 and at most --vectors")
    if options.nprobe < 1:
        parser.error("--nprobe must be at least 1")
    started = time.perf_counter()
    build(
        options.path,
        documents,
        count=options.vectors,
        nlist=options.nlist,
        nprobe=options.nprobe,
        seed=options.seed,
        threads=options.threads,
    )
    size = options.path.stat().st_size
    print(
        f"{options.path}: {options.vectors} vectors, IVF{options.nlist}, "
        f"{size / 2**20:.0f} MiB, {time.perf_counter() - started:.1f} s"
    )


if __name__ == "__main__":
    main()
