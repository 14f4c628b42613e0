"""The ASGI application: the live feed, single purchases, and everything else.

Websockets, single purchases and waiting for events are asynchronous. Pages, admin and REST run as
WSGI in threads. Django's own ASGI handler would change threads for every synchronous view, which
costs most of a small request's time.

A request passes, from outside to inside:

1. ``shop.server.failures``: what anything below raises is answered in the envelope;
2. ``shop.server.probes``: ``/livez`` is answered here, and the other probes in threads of their
  own;
3. ``accounts.holders``: finds who asks, for the rooms of ``shop.core.admission``;
4. ``shop.server.bodies``: reads the body, within its limits;
5. ``purchases.ingest``, ``quizzes.answering`` and ``events.longpoll``: take what is theirs;
6. ``shop.server.streaming``: sends the long answers that Django has only authorised;
7. ``shop.server.gate``: waits for a thread, in which Django answers everything else.

Addresses that are answered before Django are in ``shop.routes``; the view of each is the
reference:

* ``POST`` to ``PURCHASES`` and ``BUYS``: ``purchases.ingest.protocol``, which the option ``--http``
  of uvicorn names, or ``purchases.ingest.middleware``; the views are in ``purchases.api`` and
  ``purchases.classic``;
* ``PUT`` and ``POST`` below ``Q``: ``quizzes.answering.fast``, before ``quizzes.answering.api``;
* ``GET`` of ``EVENTS`` with ``wait``: ``events.longpoll``, before ``events.api``;
* ``BULK``: ``shop.server.bodies`` has read its body into a file before ``purchases.api`` parses it.
"""

import asyncio
import contextlib
import os
import resource
import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
try:
    django_application: Any = get_wsgi_application()
except ImproperlyConfigured as error:
    # One line says which setting is missing. A traceback would not help.
    sys.exit(f"shop.asgi: {error}")

# Django must be set up before anything that imports a model.
from channels.routing import URLRouter
from django.conf import settings

from accounts.holders import Holders
from accounts.keys.usage import last_uses
from accounts.quotas import check_page
from billing.routes import WEBHOOK_MAX_BYTES, WEBHOOKS
from events.hub import hub
from events.longpoll import LongPollMiddleware
from purchases.bulk import BODY_MAX_BYTES as BULK_MAX_BYTES
from purchases.ingest.engine import ingest
from purchases.ingest.middleware import IngestMiddleware
from purchases.routes import BULK
from quizzes.answering.fast import AnsweringMiddleware
from quizzes.answering.requests import MAX_BYTES as QUIZ_MAX_BYTES
from quizzes.answering.routes import Q
from shop.core import kept, process
from shop.core.addresses import forwarded
from shop.core.errors import ApplicationError, error_shape, send_error
from shop.core.garbage import collect_rarely
from shop.core.headers import bounded
from shop.core.health import servers_take_writes
from shop.core.refusals import at_a_pace
from shop.routes import BEFORE_DJANGO, SOCKETS, websocket_urlpatterns
from shop.server.bodies import SMALL_BYTES, Bodies
from shop.server.failures import Failures
from shop.server.gate import Gate
from shop.server.probes import PROBES, Probes, answer_livez
from shop.server.streaming import Streams

SWITCH_SECONDS = 0.001

_websockets = URLRouter(websocket_urlpatterns)

_holders = Holders()
_gate = Gate(
    django_application,
    threads=settings.WSGI_THREADS,
    large_threads=settings.BULK_THREADS,
    large=SMALL_BYTES,
    over=servers_take_writes,
)
_probes = Probes(django_application)
_http = Bodies(
    IngestMiddleware(AnsweringMiddleware(LongPollMiddleware(Streams(_gate)))),
    {BULK: BULK_MAX_BYTES},
    signed={WEBHOOKS: WEBHOOK_MAX_BYTES, Q: QUIZ_MAX_BYTES},
)


def _raise_open_files() -> None:
    """Raise the limit of open files, and so of sockets, which often starts at 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS refuses its own maximum.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            _raise_open_files()
            # If threads compute, the event loop waits this long for each of its turns.
            sys.setswitchinterval(SWITCH_SECONDS)
            hub.start()
            ingest.start()
            last_uses.start()
            kept.start()
            await asyncio.to_thread(process.start, os.environ.get("APPLICATION_NAME", "web"))
            collect_rarely()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await ingest.stop()
            await hub.stop()
            await last_uses.stop()
            kept.stop()
            await asyncio.to_thread(process.stop)
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _no_route(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 4400, "reason": "There is no such feed."})


def _for_this_host(scope: Any) -> Any:
    """Return the scope as if the request were for the site's own host name.

    Probes and scrapers call a replica by its address or its service's name. Their answer does not
    depend on the name.
    """
    host = next(iter(settings.ALLOWED_HOSTS), "").lstrip("*.") or "localhost"
    others = [header for header in scope["headers"] if header[0] != b"host"]
    return scope | {"headers": [*others, (b"host", host.encode())]}


def _counts_itself(path: str) -> bool:
    """Return whether requests for the path are counted where they are answered, or not at all."""
    return error_shape(path) is not None or path.startswith(settings.STATIC_URL)


async def _request(scope: Any, receive: Any, send: Any) -> None:
    probe = scope["method"] in ("GET", "HEAD")
    if probe and scope["path"] == "/livez":
        await answer_livez(scope, send)
        return
    scope = forwarded(bounded(scope))
    if probe and scope["path"] in PROBES:
        await _probes(_for_this_host(scope), receive, send)
        return
    await _holders.find(scope)
    send = at_a_pace(scope["shop.holder"], send)
    path = BEFORE_DJANGO.get(scope["path"])
    if path is not None and path != scope["path"]:
        scope = scope | {"path": path}
    if not _counts_itself(scope["path"]):
        check_page(scope["shop.holder"])
    await _http(scope, receive, send)


_requests = Failures(_request)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve one connection."""
    if scope["type"] == "http":
        await _requests(scope, receive, send)
    elif scope["type"] == "websocket":
        scope = forwarded(bounded(scope))
        await _holders.find(scope)
        send = at_a_pace(scope["shop.holder"], send)
        try:
            check_page(scope["shop.holder"])
        except ApplicationError as error:
            await receive()
            await send_error(send, error, message="websocket.http.response")
            return
        if scope["path"] in SOCKETS:
            await _websockets(scope, receive, send)
        else:
            await _no_route(receive, send)
    else:
        await _lifespan(receive, send)
