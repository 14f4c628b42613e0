"""One request of a session at a time, for what may be used once."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest


@contextmanager
def session_alone(request: HttpRequest) -> Iterator[None]:
    """Read the session anew, and keep its other requests out of such blocks until the end.

    What the block changes is stored at its end, in its transaction. So a state or a code that one
    request has used up is gone for the next one, and no guess is forgotten.
    """
    store = request.session.__class__
    key = request.session.session_key
    with transaction.atomic():
        if key is not None:
            # One that another request has ended meanwhile is empty when it is read.
            list(Session.objects.select_for_update().filter(session_key=key).values_list("pk"))
        request.session = store(key)
        yield
        if request.session.modified:
            request.session.save()
    if request.session.session_key == key:
        # It is read again if it is needed, because another request may change it from now on.
        request.session = store(key)
