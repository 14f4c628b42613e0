"""Helpers that several files share."""

import subprocess

import httpx

from tests.stack.stack import Stack

BUY = {"username": "joe", "userid": "005", "price": "2.50"}


def buy(client: httpx.Client, item: str, path: str = "/api/v1/purchases/") -> httpx.Response:
    """Buy an item as joe. Return the answer."""
    answer = client.post(path, json=BUY | {"item": item})
    assert answer.status_code == 201, answer.text
    return answer


def project(stack: Stack) -> str:
    """Return the name of the stack's Compose project."""
    return stack.environment["COMPOSE_PROJECT_NAME"]


def nginx_log(stack: Stack) -> list[str]:
    """Return the newest lines of nginx's access log."""
    finished = subprocess.run(
        ["docker", "logs", "--tail", "500", stack.containers("nginx")[0]],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return [line for line in finished.stdout.splitlines() if line.startswith("{")]
