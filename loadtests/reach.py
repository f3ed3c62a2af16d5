"""Is anybody there? One connection before the load, so that its absence is one sentence."""

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from slo.target_url import masked_url

WITHIN_S = 10.0
HTTP, HTTPS = 80, 443


class UnreachableError(Exception):
    """Nobody answers at the address, or not with a good certificate; the message is a sentence."""


def reach(url: str, *, verify: bool, ca_file: Path | None, within_s: float = WITHIN_S) -> None:
    """Connects, and shakes hands where it is https. Raises UnreachableError."""
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    port = parts.port or (HTTPS if secure else HTTP)
    try:
        with socket.create_connection((host, port), timeout=within_s) as connection:
            if secure:
                _context(verify=verify, ca_file=ca_file).wrap_socket(
                    connection, server_hostname=host
                ).close()
    except ssl.SSLCertVerificationError as error:
        raise UnreachableError(
            f"{masked_url(url)} has no certificate to trust: {error.verify_message}; name its"
            " authority with 'ca_file', or say 'verify: false' (--insecure)"
        ) from error
    except OSError as error:
        why = "no answer" if isinstance(error, TimeoutError) else error.strerror or error
        raise UnreachableError(f"{masked_url(url)} cannot be reached: {why}") from error


def _context(*, verify: bool, ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file and str(ca_file))
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
