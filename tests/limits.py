"""Resets the limits of a running system between tests."""

import redis

from tests.system import System


def forget_limits(system: System) -> None:
    """Forget every counted sign-in, sign-up and reset of a running system."""
    with redis.Redis.from_url(system.servers()["REDIS_URL"]) as valkey:
        for pattern in ("*throttle:*", "*allauth:rl:*", "*sign-in:*"):
            keys = list(valkey.scan_iter(pattern))
            if keys:
                valkey.delete(*keys)
