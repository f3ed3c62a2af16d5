"""What users of the shop do. `locust -f locustfile.py` runs the same file."""

from locust import FastHttpUser, SequentialTaskSet, task


class Visitor(FastHttpUser):
    """Looks at things."""

    weight = 4

    def on_start(self):
        self.items = self.client.get("/items").json()

    @task(3)
    def look(self):
        for name in self.items:
            self.client.get(f"/items/{name}", name="/items/{name}")

    @task
    def browse(self):
        self.client.get("/items")


class Order(SequentialTaskSet):
    """Chooses first, and orders what it has seen."""

    @task
    def choose(self):
        self.item = self.client.get("/items").json()[0]

    @task
    def buy(self):
        order = {"item": self.item, "count": 2}
        with self.client.post("/orders", json=order, catch_response=True) as answer:
            if answer.status_code == 201 and answer.json()["price"] <= 0:
                answer.failure("a price that cannot be")


class Buyer(FastHttpUser):
    weight = 1
    tasks = [Order]
