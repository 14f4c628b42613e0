"""Callers of the ledger, each signed in with a token."""

from django.test import Client

from accounts.models import Token, User

WHEN = "2024-05-31T15:54:32.204Z"


class Api:
    """A client that is signed in with a token."""

    def __init__(self, username: str, **fields: object) -> None:
        self.user = User.objects.create(username=username, userid=f"id-{username}", **fields)
        self.headers = {"Authorization": f"Token {Token.objects.create(self.user)[1]}"}

    def get(self, path: str):
        return Client(headers=self.headers).get(path)

    def post(self, path: str, body, content_type: str = "application/json", **headers: str):
        client = Client(headers=self.headers | headers)
        return client.post(path, body, content_type=content_type)

    def buy(self, **fields):
        key = fields.pop("key", None)
        body = {"item": "book", "price": "12.50", "timestamp": WHEN} | fields
        headers = {"Idempotency-Key": key} if key else {}
        return self.post("/api/v1/purchases/", body, **headers)
