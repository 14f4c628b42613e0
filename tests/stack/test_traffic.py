"""What passes through nginx: how much of it, from whom, and in which words it is refused."""

import pytest

from tests.stack.full_load import buy_for
from tests.stack.stack import Stack, docker

TIME_WAIT = "06"
MANY = 2000
"""Far more connections than are kept open, and far fewer than requests."""


def connections_given_up(stack: Stack) -> int:
    """Return how many connections nginx has closed within the last minute."""
    table = docker("exec", stack.containers("nginx")[0], "cat", "/proc/net/tcp")
    return sum(line.split()[3] == TIME_WAIT for line in table.splitlines()[1:])


def test_no_request_fails_under_full_load(stack: Stack, load_seconds: float):
    nginx = stack.containers("nginx")[0]
    if "resolve" not in docker("exec", nginx, "cat", "/etc/nginx/conf.d/upstreams.inc"):
        pytest.skip("This nginx is older than 1.27.3 and opens a connection for each request.")
    before = int(stack.sql("SELECT count(*) FROM purchases_purchase"))
    outcome = buy_for(stack, load_seconds)
    bought = outcome.statuses[201]
    print(f"{bought} purchases in {load_seconds:.0f} s, {connections_given_up(stack)} given up")
    assert outcome.failures == {}
    assert bought > MANY
    # Every answer was a purchase, and none was sent twice.
    assert int(stack.sql("SELECT count(*) FROM purchases_purchase")) == before + bought
    assert connections_given_up(stack) < MANY
