"""Compare the old event table with the general log, and drop it."""

from django.db import migrations

from shop.core.database import no_statement_timeout
from shop.core.locking import briefly

MISSING = """
SELECT count(*) FROM purchases_event_before AS old
LEFT JOIN events_event AS event ON event.id = old.purchase_id
WHERE event.id IS DISTINCT FROM old.purchase_id
      AND NOT EXISTS (SELECT FROM events_outbox AS waiting WHERE waiting.id = old.purchase_id)
   OR old.position IS NOT NULL AND event.position IS DISTINCT FROM old.position
"""


def drop(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('purchases_event_before') IS NULL")
        if cursor.fetchone() == (True,):
            return
    alias = schema_editor.connection.alias
    with no_statement_timeout(alias), schema_editor.connection.cursor() as cursor:
        cursor.execute(MISSING)
        (missing,) = cursor.fetchone()
    if missing:
        raise RuntimeError(f"{missing} events are not in the log as they were; nothing is dropped.")
    briefly(lambda cursor: cursor.execute("DROP TABLE purchases_event_before"))(apps, schema_editor)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("purchases", "0008_event_view")]
    operations = [migrations.RunPython(drop, migrations.RunPython.noop)]
    safe_because = {0: "No version uses the table; its foreign key's lock is waited for briefly."}
