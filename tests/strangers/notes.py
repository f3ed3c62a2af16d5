"""A stranger's service: keeps notes as files on its volume, and has a token in its environment."""

import os
from pathlib import Path

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

app = Flask("notes")
FOLDER = Path("/data/notes")
TOKEN = os.environ["TOKEN"]


@app.get("/")
def index() -> ResponseReturnValue:
    return jsonify({"notes": "here", "token": len(TOKEN)})


@app.put("/notes/<name>")
def write(name: str) -> ResponseReturnValue:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / name).write_text(request.get_json()["text"])
    return jsonify({"kept": name})


@app.get("/notes/<name>")
def read(name: str) -> ResponseReturnValue:
    path = FOLDER / name
    if not path.is_file():
        return jsonify({"error": "no such note"}), 404
    return jsonify({"text": path.read_text()})


if __name__ == "__main__":
    app.run(host=os.environ["POD_IP"], port=8000, threaded=True)
