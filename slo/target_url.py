"""The address that users go to: what it may be, and how it is shown."""

from urllib.parse import urlsplit

MASK = "***"


class UrlError(ValueError):
    """The address cannot be used; the message is one sentence, without a password."""


def checked_url(url: str) -> str:
    """The address without a slash at its end. Raises UrlError.

    Paths are put behind it, so it can have neither a query nor a fragment.
    """
    shown = masked_url(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlError(f"{shown} is no address for a load: {error}") from error
    if parts.scheme not in {"http", "https"} or "://" not in url:
        raise UrlError(
            f"{shown} is no address for a load: it has to begin with http:// or https://"
        )
    if not parts.hostname or port == 0 or any(c.isspace() or ord(c) < ord(" ") for c in url):
        raise UrlError(f"{shown} is no address for a load: it names no host, or not in a usual way")
    for mark, name in (("?", "a query"), ("#", "a fragment")):
        if mark in url:
            raise UrlError(
                f"{shown} is no address for a load: paths are put behind it, so it cannot have"
                f" {name} ({mark!r})"
            )
    return url.rstrip("/")


def masked_url(url: str) -> str:
    """As it may be shown: without user name and password."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    place = rest.split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
    if "@" not in place:
        return url
    host = place.rpartition("@")[2]
    return f"{scheme}{mark}{MASK}@{host}{rest[len(place) :]}"
