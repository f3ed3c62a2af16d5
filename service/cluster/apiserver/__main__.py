"""`python -m service.cluster.apiserver`: serve until SIGTERM, or until the parent dies."""

import argparse
import ctypes
import signal
from pathlib import Path

import uvicorn

from service.cluster.apiserver.app import ApiServer

PR_SET_PDEATHSIG = 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="service.cluster.apiserver")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, default=6443)
    parser.add_argument("--dir", type=Path, required=True, help="state.db and pki/ are in here")
    parser.add_argument("--service-cidr", default="127.64.128.0/18")
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    uvicorn.run(
        ApiServer.open(options.dir, options.service_cidr),
        host=options.host,
        port=options.port,
        ssl_certfile=str(options.dir / "pki/apiserver.crt"),
        ssl_keyfile=str(options.dir / "pki/apiserver.key"),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,  # open watches do not keep us
        ws="wsproto",  # which takes names of protocols as they come
        ws_max_size=64 * 1024 * 1024,
        server_header=False,
        backlog=1024,
    )


if __name__ == "__main__":
    main()
