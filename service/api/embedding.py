"""Text to a unit vector without a model: signed feature hashing of byte n-grams.

Each n-gram (3, 4 and 5 bytes of the case-folded UTF-8 text between boundary bytes) is hashed to one
of 768 coordinates and a sign, counted, damped by a square root and normalised: texts that share
many n-grams lie close in L2. (Weinberger et al., "Feature Hashing for Large Scale Multitask
Learning", 2009.) Integer arithmetic modulo 2**64 decides coordinate and sign, so every machine
agrees on them.
"""

import numpy as np
import numpy.typing as npt

DIMENSIONS = 768

Vector = npt.NDArray[np.float32]

_SIZES = (3, 4, 5)
_EDGE = b"\x02\x03"  # no text contains them by accident, and even "" has a trigram with them
_BASE = np.uint64(1_099_511_628_211)  # the FNV prime
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # splitmix64's finaliser


def embed(text: str) -> Vector:
    """The embedding of `text`: shape (768,), float32, Euclidean norm 1."""
    data = _EDGE + text.casefold().encode("utf-8", "surrogatepass") + _EDGE
    codes = np.frombuffer(data, dtype=np.uint8).astype(np.uint64) + np.uint64(1)
    hashes = np.concatenate([_hash_windows(codes, size) for size in _SIZES if size <= len(codes)])
    signs = np.where(hashes >> np.uint64(63), 1.0, -1.0)
    places = (hashes % np.uint64(DIMENSIONS)).astype(np.intp)
    counts = np.bincount(places, weights=signs, minlength=DIMENSIONS)
    vector = np.sign(counts) * np.sqrt(np.abs(counts))
    norm = float(np.linalg.norm(vector))
    if norm == 0.0:  # all n-grams cancelled out: the first one speaks for the text
        vector[places[0]] = norm = 1.0
    return (vector / norm).astype(np.float32)


def _hash_windows(codes: npt.NDArray[np.uint64], size: int) -> npt.NDArray[np.uint64]:
    """One 64-bit hash for each window of `size` codes."""
    count = len(codes) - size + 1
    hashes = np.full(count, size, dtype=np.uint64)
    for offset in range(size):
        hashes = hashes * _BASE + codes[offset : offset + count]
    hashes ^= hashes >> np.uint64(30)
    hashes *= _MIX[0]
    hashes ^= hashes >> np.uint64(27)
    hashes *= _MIX[1]
    hashes ^= hashes >> np.uint64(31)
    return hashes
