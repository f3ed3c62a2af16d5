"""Kubernetes quantities ("500m", "1Gi") as numbers."""

_FACTORS = {
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
}


def size(quantity: str | int) -> int:
    """Bytes. Raises ValueError."""
    text = str(quantity)
    for suffix, factor in _FACTORS.items():
        if text.endswith(suffix):
            return int(float(text.removesuffix(suffix)) * factor)
    return int(float(text))


def cpus(quantity: str | float) -> float:
    """CPUs: "500m" is 0.5. Raises ValueError."""
    text = str(quantity)
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)
