"""The one statement that writes purchases, and its parameters."""

from collections.abc import Iterable, Sequence

from accounts.permissions import EFFECTIVE, Permission, sufficient
from events.models import Outbox
from purchases.entries import KeyedEntry, timestamp_text
from purchases.models import Purchase

# One statement writes purchases and events. Without a condition, ids follow the order of the input,
# so the events of a batch keep it. Rows are inserted in the order of their keys, so that two
# batches with the same keys wait for each other instead of deadlocking. Of two rows with one key
# the first stays, and the answers say the same. A condition may join the rows in any order, so no
# two of these rows may have one key.
_INSERT = f"""
WITH input AS MATERIALIZED (
    SELECT uuidv7() AS id, row.*
    FROM unnest(
        %s::bigint[], %s::text[], %s::int[], %s::numeric[], %s::text[], %s::timestamptz[],
        %s::bigint[], %s::uuid[], %s::uuid[] {{more_columns}}
    ) AS row (customer_id, item, quantity, price, currency, "timestamp", recorded_by_id,
              dedupe_key, fingerprint {{more_names}})
    {{condition}}
), recorded AS (
    INSERT INTO {Purchase._meta.db_table}
        (id, customer_id, item, quantity, price, currency, "timestamp", received_at,
         recorded_by_id, dedupe_key, fingerprint)
    SELECT id, customer_id, item, quantity, price, currency, coalesce("timestamp", now()), now(),
           recorded_by_id, dedupe_key, fingerprint
    FROM input
    ORDER BY dedupe_key, id
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING id, customer_id, recorded_by_id, received_at, dedupe_key
), logged AS (
    INSERT INTO {Outbox._meta.db_table} (id, customer_id, recorder_id)
    SELECT id, customer_id, nullif(recorded_by_id, customer_id) FROM recorded
)
SELECT replace(dedupe_key::text, '-', ''), id::text, received_at FROM recorded
"""  # noqa: S608
INSERT = _INSERT.format(more_columns="", more_names="", condition="")
# The same for rows whose caller and customer are cached. It records a row only if the token is
# still valid at any address and both accounts are unchanged, and returns nothing for other rows.
INSERT_IF_STILL_SIGNED_IN = _INSERT.format(
    more_columns=", %s::text[], %s::boolean[], %s::text[], %s::text[]",
    more_names=", token, names_anyone, username, userid",
    condition=f"""
    WHERE EXISTS (
        SELECT FROM knox_authtoken AS token
        JOIN accounts_user AS account ON account.id = token.user_id
        JOIN accounts_user AS customer ON customer.id = row.customer_id
        WHERE token.digest = row.token AND token.networks IS NULL
          AND (token.expiry IS NULL OR token.expiry > statement_timestamp())
          AND account.id = row.recorded_by_id AND account.is_active
          AND {EFFECTIVE} & {sufficient(Permission.PURCHASES_WRITE)} <> 0
          AND ({EFFECTIVE} & {int(Permission.PURCHASES_WRITE_ALL)} <> 0) = row.names_anyone
          AND customer.username = row.username AND customer.userid = row.userid
    )""",
)


def array(values: Iterable[object]) -> str:
    """Return PostgreSQL's text of an array whose elements need no quotes."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def text_array(values: Iterable[str]) -> str:
    """Return PostgreSQL's text of an array of strings."""
    quoted = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(quoted) + '"}' if quoted else "{}"


def columns(rows: Sequence[KeyedEntry]) -> list[str]:
    """Return the parameters of ``INSERT``: one array, as text, for each column.

    psycopg would adapt lists element by element, which costs more than all its other work here.
    """
    purchases = [row.entry.purchase for row in rows]
    return [
        array([row.customer_id for row in rows]),
        text_array([purchase.item for purchase in purchases]),
        array([purchase.quantity for purchase in purchases]),
        array([purchase.price for purchase in purchases]),
        array([purchase.currency for purchase in purchases]),
        # The timestamps contain a space, which needs no quotes in an array.
        array([timestamp_text(purchase) for purchase in purchases]),
        array([row.entry.caller.id for row in rows]),
        array([row.dedupe_key for row in rows]),
        array([row.fingerprint for row in rows]),
    ]
