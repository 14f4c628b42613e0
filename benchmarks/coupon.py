"""Purchases a second with one coupon that has a limit, and whether it is counted exactly.

    python -m shop.local.embedded --durable python -m benchmarks.coupon

One process, over loopback, with durable commits. Every redeemer waits for the coupon's row until
the one before has committed. Half of the tries come after the limit is reached.
"""

import argparse
import http.client
import json
import os
import tempfile
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django

from benchmarks.single_buy import CUSTOMERS, OURS, _customers, _serving
from benchmarks.tables import table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")


def _redeem(port: int, tokens: list[str], code: str, tries: int) -> Counter[str]:
    """Try to redeem the coupon so many times over one connection; return what came of it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    outcomes: Counter[str] = Counter()
    for number in range(tries):
        purchase = {"item": f"bench {uuid.uuid4()}", "price": "12.50"}
        connection.request(
            "POST",
            "/api/v1/billing/purchases/",
            json.dumps({"purchase": purchase, "coupon": code}),
            {
                "Content-Type": "application/json",
                "Authorization": f"Token {tokens[number % len(tokens)]}",
            },
        )
        answer = connection.getresponse()
        body = json.loads(answer.read())
        outcomes["redeemed" if answer.status == 201 else body["errors"][0]["code"]] += 1
    connection.close()
    return outcomes


def _measure(port: int, tokens: list[str], clients: int, limit: int) -> list[object]:
    from accounts.models import User
    from billing.coupons.models import Coupon, Redemption

    owner = User.objects.order_by("-pk").first()
    assert owner is not None
    code = f"BENCH-{uuid.uuid4().hex[:12].upper()}"
    coupon = Coupon.objects.create(code=code, percent=10, max_redemptions=limit, created_by=owner)
    tries = 2 * limit // clients
    shares = [tokens[number::clients] for number in range(clients)]
    started = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        results = pool.map(lambda share: _redeem(port, share, code, tries), shares)
        outcomes: Counter[str] = sum(results, Counter())
    spent = time.monotonic() - started
    at = Redemption.objects.filter(coupon=coupon).order_by("at")
    first, last = at.values_list("at", flat=True)[0], at.reverse().values_list("at", flat=True)[0]
    redeemed = Redemption.objects.filter(coupon=coupon).count()
    if redeemed != min(limit, tries * clients) or set(outcomes) - {"redeemed", "coupon_exhausted"}:
        raise SystemExit(f"{redeemed} redemptions of {limit}: {dict(outcomes)}")
    rate = redeemed / max((last - first).total_seconds(), 1e-3)
    return [clients, tries * clients, redeemed, f"{rate:.0f}", f"{tries * clients / spent:.0f}"]


def main(arguments: list[str] | None = None) -> list[str]:
    """Run the rounds. Return the lines of a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coupon", description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 200])
    parser.add_argument("--limit", type=int, default=1000)
    options = parser.parse_args(arguments)
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory() as name, _serving(OURS) as port:
        _customers(Path(name))
        tokens = (Path(name) / "tokens").read_text().split()
        assert len(tokens) == CUSTOMERS
        rows = [_measure(port, tokens, clients, options.limit) for clients in options.clients]
    return table(["clients", "tries", "redeemed", "redeemed a second", "answers a second"], rows)


if __name__ == "__main__":
    print("\n".join(main()))
