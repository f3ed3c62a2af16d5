"""Whatever is written can be read: 4.5 to 1 at least, as WCAG 2.2 asks (1.4.3), light and dark."""

import re
from importlib.resources import files

import pytest

STYLE = files("reports").joinpath("templates", "style.css").read_text(encoding="utf-8")
LIGHT, DARK = STYLE.split("@media screen and (prefers-color-scheme: dark)")
DARK = DARK.partition("* { box-sizing")[0]
OUTCOMES = ("pass", "warn", "fail", "inconclusive")
PAIRS = (
    *((ink, paper) for ink in ("text", "muted", "link") for paper in ("page", "raised")),
    *((outcome, f"{outcome}-soft") for outcome in OUTCOMES),
    *((outcome, "raised") for outcome in OUTCOMES),
    *(("on-phase", phase) for phase in ("baseline", "fault", "recovery")),
    *(("on-dark", severity) for severity in ("sev1", "sev2")),
    *(("on-sev", severity) for severity in ("sev3", "sev4", "sev-none")),
)


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    digits = colour if len(colour) == 6 else "".join(2 * d for d in colour)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("ink", "paper"), PAIRS)
@pytest.mark.parametrize("sheet", [LIGHT, DARK], ids=["light", "dark"])
def test_the_contrast_suffices(sheet: str, ink: str, paper: str) -> None:
    colours = dict(re.findall(r"--([\w-]+): #([0-9a-f]{6}|[0-9a-f]{3});", LIGHT))
    colours |= dict(re.findall(r"--([\w-]+): #([0-9a-f]{6}|[0-9a-f]{3});", sheet))
    low, high = sorted((luminance(colours[ink]), luminance(colours[paper])))
    assert (high + 0.05) / (low + 0.05) >= 4.5
