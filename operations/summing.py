"""Sums the minutes up to hours, which are kept for years."""

from django.db import connection, transaction

from operations.series import ANSWERING

AGAIN_HOURS = 4
"""So many hours are summed up again, because a process writes late after an outage."""
FIRST_HOURS = 30
"""How far back the first sum goes after a time without any."""

_HOURS = """
INSERT INTO operations_hour (hour, route, status_class, requests, seconds, numbers, counts)
SELECT hour, route, status_class, requests, seconds, numbers, counts FROM (
    SELECT date_trunc('hour', minute, 'UTC') AS hour, route, status_class,
        sum(requests) AS requests, sum(seconds) AS seconds
    FROM operations_minute WHERE minute >= %(since)s AND minute < %(until)s
    GROUP BY 1, 2, 3
) AS counted
JOIN (
    SELECT hour, route, status_class, array_agg(number ORDER BY number) AS numbers,
        array_agg(count ORDER BY number) AS counts
    FROM (
        SELECT date_trunc('hour', minute, 'UTC') AS hour, route, status_class, number,
            sum(count)::bigint AS count
        FROM operations_minute, unnest(numbers, counts) AS bucket (number, count)
        WHERE minute >= %(since)s AND minute < %(until)s
        GROUP BY 1, 2, 3, 4
    ) AS added GROUP BY 1, 2, 3
) AS times USING (hour, route, status_class)
ON CONFLICT (hour, route, status_class) DO UPDATE SET requests = excluded.requests,
    seconds = excluded.seconds, numbers = excluded.numbers, counts = excluded.counts
"""
_OBSERVED = f"""
INSERT INTO operations_observedhour (hour, minutes, users, instances, signed_in, signed_out)
SELECT hour, count(*) FILTER (WHERE answering), max(users), max(instances),
    (SELECT count(*) FROM operations_sessionevent WHERE kind = 'signed_in'
        AND at >= hour AND at < hour + interval '1 hour'),
    (SELECT count(*) FROM operations_sessionevent WHERE kind = 'signed_out'
        AND at >= hour AND at < hour + interval '1 hour')
FROM (
    SELECT date_trunc('hour', minute, 'UTC') AS hour,
        bool_or(kind IN {ANSWERING}) AS answering,
        (SELECT count(DISTINCT account) FROM operations_presence AS each, unnest(users) AS account
         WHERE each.minute = presence.minute) AS users,
        count(*) AS instances
    FROM operations_presence AS presence
    WHERE minute >= %(since)s AND minute < %(until)s
    GROUP BY minute
) AS lived
GROUP BY hour
ON CONFLICT (hour) DO UPDATE SET minutes = excluded.minutes, users = excluded.users,
    instances = excluded.instances, signed_in = excluded.signed_in,
    signed_out = excluded.signed_out
"""  # noqa: S608
# The hour that has just ended may still get a report.
_WHICH = """
SELECT coalesce(
        (SELECT max(hour) FROM operations_observedhour) - make_interval(hours => %s),
        date_trunc('hour', now(), 'UTC') - make_interval(hours => %s)),
    date_trunc('hour', now() - interval '1 minute', 'UTC')
"""


def sum_up() -> None:
    """Sum up the hours that have ended, and again the last ones before. Every sum is absolute."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_WHICH, [AGAIN_HOURS, FIRST_HOURS])
        since, until = cursor.fetchone()
        if since >= until:
            return
        span = {"since": since, "until": until}
        cursor.execute(_HOURS, span)
        cursor.execute(_OBSERVED, span)
