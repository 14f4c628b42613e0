"""Concurrent single purchases share one transaction; each gets its own answer.

This package takes ``POST /api/v1/purchases/`` and ``/buy`` with a token and a JSON body. A purchase
passes:

1. ``protocol`` (or ``middleware``, where uvicorn runs without it) reads the request;
2. ``http`` finds the token and parses the body;
3. ``engine`` puts it into a queue, and answers it at its deadline at the latest;
4. ``writer``, the fast path: a connection of the event loop executes one statement for a batch. It
   records purchases whose token and customer this process has met before (``cache``), and checks
   in the same statement that both are still good;
5. ``slow``: whatever the statement did not record (an account met for the first time, a repeat, a
   revoked token, any error) goes through :func:`purchases.services.record_purchases` in a thread.

The fast path records only new purchases that break no rule, so the slow path alone holds the rules
and all other answers. Requests that ``http`` does not parse (cookies, other content types, chunked
bodies) go on to the Django view, which gives the same answers one by one.
"""
