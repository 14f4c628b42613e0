"""Health: whether the process runs, and whether its dependencies take writes."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from tempfile import TemporaryFile

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_safe

from shop.core.apps import health_checks
from shop.core.errors import RETRY_AFTER_SECONDS
from shop.core.metrics import connect_valkey, metrics
from shop.core.restored import NOT_REPLAYED, is_replayed

CHECK_SECONDS = 3.0
DISK_BYTES = 64 * 1024


class Unhealthy(Exception):
    """A dependency answers, but reports a problem."""


# No user can have this session: its key is shorter than any, and it has ended.
_WRITE = """
INSERT INTO django_session (session_key, session_data, expire_date) VALUES ('health', '', now())
ON CONFLICT (session_key) DO UPDATE SET expire_date = excluded.expire_date
"""


def _postgresql() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_WRITE)
    if not is_replayed():
        raise Unhealthy(NOT_REPLAYED)


def _valkey() -> None:
    connect_valkey().set("health", 1, ex=60)


def _disk() -> None:
    # Uploads and rendered files pass through the temporary folder.
    with TemporaryFile(buffering=0) as file:
        file.write(bytes(DISK_BYTES))


_OWN: dict[str, Callable[[], None]] = {
    "postgresql": _postgresql,
    "valkey": _valkey,
    "disk": _disk,
}
_threads = ThreadPoolExecutor(12, thread_name_prefix="health")


def checks() -> dict[str, Callable[[], None]]:
    """Return the checks by name: those of every app, and those that each app declares."""
    return _OWN | health_checks()


def _run(check: Callable[[], None]) -> tuple[str, float]:
    started = time.perf_counter()
    try:
        check()
        problem = ""
    except Unhealthy as error:
        problem = str(error)
    except Exception as error:
        problem = type(error).__name__
    finally:
        connection.close()
    return problem, round((time.perf_counter() - started) * 1000, 1)


def check_dependencies() -> dict[str, tuple[str, float]]:
    """Return ``(problem or "", milliseconds)`` for each dependency, within CHECK_SECONDS."""
    started = time.perf_counter()
    futures = {name: _threads.submit(_run, check) for name, check in checks().items()}
    results = {}
    for name, future in futures.items():
        left = CHECK_SECONDS - (time.perf_counter() - started)
        try:
            results[name] = future.result(max(0.0, left))
        except FutureTimeout:
            future.cancel()
            results[name] = ("no answer", round(CHECK_SECONDS * 1000, 1))
    return results


def servers_take_writes() -> bool:
    """Return whether PostgreSQL and Valkey take writes now."""
    return not any(_run(_OWN[name])[0] for name in ("postgresql", "valkey"))


def _no_store(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response


def _for_now(response: HttpResponse) -> HttpResponse:
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process does."""
    return _no_store(HttpResponse("ok\n", content_type="text/plain"))


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer ``Success`` only if servers and disk take writes, and what apps need is well."""
    bad = [f"{name}: {problem}" for name, (problem, _) in check_dependencies().items() if problem]
    if bad:
        text = "\n".join(bad) + "\n"
        return _no_store(_for_now(HttpResponse(text, status=503, content_type="text/plain")))
    return _no_store(HttpResponse("Success", content_type="text/plain"))


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer each dependency with its milliseconds; 503 if PostgreSQL takes no write.

    Purchases are taken without anything else that is checked.
    """
    results = check_dependencies()
    ready = not results["postgresql"][0]
    body = {
        "ready": ready,
        "dependencies": {
            name: {
                "ok": not problem,
                "milliseconds": taken,
                **({"error": problem} if problem else {}),
            }
            for name, (problem, taken) in results.items()
        },
    }
    return _no_store(JsonResponse(body) if ready else _for_now(JsonResponse(body, status=503)))


healthz_urlpatterns = [path("healthz", healthz, name="healthz")]
urlpatterns = [
    path("livez", livez, name="livez"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
