"""The shell of every HTML page: one file that fetches nothing and lets nothing else run in it.

The pages' security policy names the one style sheet by its hash and allows no script, no style
attribute and no address. What depends on the data is therefore placed by classes (`Places`).
"""

import base64
import hashlib
import re
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reports import format as fmt

_CODE = re.compile("`([^`]+)`")
_UNITS = {"left": "%", "width": "%", "top": "rem", "height": "rem"}


def _finish(value: object) -> object:
    """Text from outside goes in clean; what is already markup stays as it is."""
    return fmt.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def with_code(text: str) -> Markup:
    """The text, with what stands between two backquotes as code."""
    plain = str(escape(fmt.clean(text)))
    return Markup(_CODE.sub(r"<code>\1</code>", plain))  # noqa: S704  escaped before


ENVIRONMENT = Environment(
    loader=PackageLoader("reports"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=_finish,
)
ENVIRONMENT.filters["with_code"] = with_code


class Places:
    """Gives each position on the page a class, and has the style sheet of all of them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, **lengths: float) -> str:
        """The class for `left` and `width` in percent, `top` and `height` in rem."""
        rule = ";".join(f"{name}:{float(value):g}{_UNITS[name]}" for name, value in lengths.items())
        return self._names.setdefault(rule, f"at-{len(self._names)}")

    @property
    def css(self) -> str:
        return "".join(f".{name}{{{rule}}}\n" for rule, name in self._names.items())


def render(
    template: str, *, title: str, version: str, styles: tuple[str, ...] = (), **values: Any
) -> str:
    """A page with the body that the template gives for the values. The same values, the same text.

    `styles` are files beside the template that follow the common style sheet. The template places
    things with `place`.
    """
    places = Places()
    body = ENVIRONMENT.get_template(template).render(
        fmt=fmt, WORDS=fmt.WORDS, place=places, **values
    )
    sheets = [_sheet(name) for name in ("style.css", *styles)]
    style = "\n".join((*sheets, places.css))
    return ENVIRONMENT.get_template("page.html").render(
        title=title,
        version=version,
        style=Markup(style),  # noqa: S704  our own files, and numbers
        style_hash=Markup(_hash(style)),  # noqa: S704  base64
        body=Markup(body),  # noqa: S704  rendered with escaping
    )


def _sheet(name: str) -> str:
    return files("reports").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
