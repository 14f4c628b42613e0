"""Copy the numbered events to the general log, while the previous version's relay numbers more.

The relay numbers in order, so the copy goes on from its own last position, also after an
interruption.
"""

from django.db import migrations

from shop.core.database import no_statement_timeout

BATCH = 20_000
COPY = """
INSERT INTO events_event (position, id, type, customer_id, recorder_id, at)
SELECT position, purchase_id, 1, event.customer_id,
       nullif(purchase.recorded_by_id, event.customer_id),
       coalesce(uuid_extract_timestamp(purchase_id), now())
FROM purchases_event AS event JOIN purchases_purchase AS purchase ON purchase.id = purchase_id
WHERE position > (SELECT coalesce(max(position), 0) FROM events_event)
ORDER BY position LIMIT %s
"""


def copy(apps, schema_editor):
    if _is_view(schema_editor):
        return
    alias = schema_editor.connection.alias
    with no_statement_timeout(alias), schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(COPY, [BATCH])
            if cursor.rowcount < BATCH:
                break
        cursor.execute("ANALYZE events_event")


def _is_view(schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT relkind = 'v' FROM pg_class WHERE oid = 'purchases_event'::regclass")
        return cursor.fetchone() == (True,)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("purchases", "0006_upload"), ("events", "0003_recorder")]
    operations = [migrations.RunPython(copy, migrations.RunPython.noop)]
    safe_because = {0: "It only reads the table in use, and no process uses the new one yet."}
