"""A stranger's service: Flask with prometheus-flask-exporter, without a description."""

import os

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from prometheus_flask_exporter import PrometheusMetrics

app = Flask("shop")
PrometheusMetrics(app)


@app.get("/")
def index() -> ResponseReturnValue:
    return jsonify({"shop": "open"})


if __name__ == "__main__":
    app.run(host=os.environ["POD_IP"], port=8000, threaded=True)
