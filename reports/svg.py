"""matplotlib's drawing as an element of a page: text stays text, colours are the page's own."""

import io
import logging
import re
import warnings
from typing import Any
from xml.etree import ElementTree as ET

from markupsafe import Markup
from matplotlib.figure import Figure

from reports import format as fmt

# "Building the font cache" is no news for whoever waits for a verdict.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

_NAMES = (
    *("text", "muted", "grid", "p95", "p50", "errors", "rate", "target", "critical"),
    *("mark", "baseline", "fault", "recovery", "on-phase", "raised"),
)

# Stand-ins that matplotlib can draw with; on the page each becomes var(--NAME), so that dark mode
# and print recolour the drawing as they do the text.
INK = {name: f"#0a0b{i:02x}" for i, name in enumerate(_NAMES)}

# All that decides how the drawing comes out, beside matplotlib's defaults.
SETTINGS: dict[Any, Any] = {  # matplotlib lists its 300 keys in the type
    "svg.fonttype": "none",
    "text.parse_math": False,  # a "$" in a name is a "$"
    "font.family": "DejaVu Sans",  # ships with matplotlib; the page's own font takes its place
    "axes.edgecolor": INK["grid"],
    "axes.titlecolor": INK["text"],
    "axes.titlepad": 7,
    "axes.titlelocation": "left",
    "axes.titlesize": "large",
    "xtick.color": INK["grid"],
    "xtick.labelcolor": INK["muted"],
    "ytick.color": INK["grid"],
    "ytick.labelcolor": INK["muted"],
    "xtick.labelsize": "medium",
    "ytick.labelsize": "medium",
    "grid.color": INK["grid"],
    "grid.linewidth": 0.6,
}


_FRACTION = re.compile(r"-?\d+\.\d+")


def embed(figure: Figure, *, label: str) -> Markup:
    """The figure as an <svg> element that scales with its box; `label` is what it is called.

    Deterministic as long as `svg.hashsalt` is set: no date, no identifier that nothing refers to.
    """
    out = io.BytesIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with warnings.catch_warnings():  # the browser has fonts for what matplotlib's cannot draw
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        figure.savefig(out, format="svg", metadata=metadata)
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    root = ET.fromstring(out.getvalue())  # noqa: S314  matplotlib's own output
    for child in list(root):
        if child.tag == f"{{{SVG}}}metadata" or child.find(f"{{{SVG}}}style") is not None:
            root.remove(child)
    used = _references(root)
    for element in root.iter():
        _shorten(element)
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        if style := element.attrib.pop("style", ""):
            element.attrib.update(_attributes(style))
    box = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update(viewBox=box, role="img")
    root.set("aria-label", fmt.clean(label))
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704  ElementTree has escaped it


def _shorten(element: ET.Element) -> None:
    """A tenth of a pixel is fine enough, and blanks between elements are for nobody."""
    if path := element.get("d"):
        element.set("d", _FRACTION.sub(lambda m: f"{float(m[0]):.1f}", " ".join(path.split())))
    if not (element.text or "").strip():
        element.text = None
    element.tail = None
    for child in list(element):
        if child.tag == f"{{{SVG}}}g" and not len(child):
            element.remove(child)


def _attributes(style: str) -> dict[str, str]:
    """A style as presentation attributes, which a strict security policy allows.

    The font is the page's own.
    """
    for name, colour in INK.items():
        style = style.replace(colour, f"var(--{name})")
    pairs = (part.partition(":") for part in style.split(";"))
    found = {name.strip(): value.strip() for name, _, value in pairs}
    found.pop("font-family", None)
    return found


def _references(root: ET.Element) -> set[str]:
    """Identifiers that something points at."""
    found: set[str] = set()
    for element in root.iter():
        if target := element.get(f"{{{XLINK}}}href"):
            found.add(target.removeprefix("#"))
        if clip := element.get("clip-path"):
            found.add(clip.removeprefix("url(#").removesuffix(")"))
    return found
