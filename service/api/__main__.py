"""`python -m service.api`: serve until SIGTERM or SIGINT.

Exit codes: 0 stopped as asked, 1 the index cannot be served, 2 a bad setting, 3 the address is
taken (uvicorn's). Each failure is one line on standard error.
"""

import logging
import os
import sys

from service.api.app import create_app
from service.api.components import Components
from service.api.index import IndexFileError, load
from service.api.server import Server, configuration
from service.api.settings import Settings, SettingsError


def main() -> int:
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        print(f"bizra-api: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("neo4j").setLevel(logging.CRITICAL)  # the circuit says it, once
    try:
        index = load(settings.faiss_index_path, nprobe=settings.faiss_nprobe)
    except IndexFileError as error:
        print(f"bizra-api: {error}", file=sys.stderr)
        return 1
    components = Components(settings, index)
    config = configuration(create_app(components), settings)
    listening = config.bind_socket()  # ends the process if the address is taken
    Server(config, components).run(sockets=[listening])
    return 0


if __name__ == "__main__":
    sys.exit(main())
