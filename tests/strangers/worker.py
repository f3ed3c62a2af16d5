"""A stranger's worker: it takes jobs from nowhere, serves no users, and counts what it did."""

import itertools
import os
import time

from prometheus_client import Counter, start_http_server

JOBS = Counter("jobs_done", "Jobs by how they ended.", ["outcome"])

if __name__ == "__main__":
    JOBS.labels("failed")
    start_http_server(8000, os.environ["POD_IP"])
    for number in itertools.count(1):
        JOBS.labels("failed" if number % 200 == 0 else "done").inc()
        time.sleep(0.02)
