"""A stranger's service: FastAPI with prometheus-fastapi-instrumentator and its default metrics."""

import os
import sqlite3

import uvicorn
from fastapi import FastAPI, HTTPException
from prometheus_fastapi_instrumentator import Instrumentator
from pydantic import BaseModel

app = FastAPI(title="shop")
Instrumentator().instrument(app).expose(app)
ITEMS = [{"id": f"item-{n}", "name": f"Thing {n}", "price": n * 1.5} for n in range(1, 20)]


class Order(BaseModel):
    item: str
    count: int = 1


@app.get("/items")
def items() -> list[dict[str, object]]:
    return list(ITEMS)


@app.get("/items/{item_id}")
def item(item_id: str) -> dict[str, object]:
    # A second sort of failure than a missing id: none of these is known in advance.
    found = next((i for i in ITEMS if i["id"] == item_id), None)
    if found is None:
        raise HTTPException(404, "no such item")
    return found


@app.get("/search")
def search(q: str) -> list[dict[str, object]]:
    return [i for i in ITEMS if q.casefold() in str(i["name"]).casefold()]


@app.post("/orders", status_code=201)
def order(order: Order) -> dict[str, object]:
    return {"item": order.item, "count": order.count}


@app.get("/health")
def health() -> dict[str, str]:
    return {"sqlite": sqlite3.sqlite_version}


if __name__ == "__main__":
    uvicorn.run(app, host=os.environ["POD_IP"], port=8000, log_level="warning")
