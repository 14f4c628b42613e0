"""Let the previous version use the general log, through a view with the name of its table.

Its writers, its relay and its readers use the view. Triggers apply their changes to the outbox and
the log. So both versions see one log, and either version's relay can number it.

The view shows the next 2000 events of the outbox only. The old relay looks each of its events up
among them. Without the limit an upload of 20,000 events held it up for a minute.
"""

import importlib

from django.db import migrations

from shop.core.locking import briefly

_copy = importlib.import_module("purchases.migrations.0007_copy_events")

SWAP = """
INSERT INTO events_outbox (id, customer_id, recorder_id)
SELECT purchase_id, event.customer_id, nullif(purchase.recorded_by_id, event.customer_id)
FROM purchases_event AS event JOIN purchases_purchase AS purchase ON purchase.id = purchase_id
WHERE position IS NULL ORDER BY purchase_id;

ALTER TABLE purchases_event RENAME TO purchases_event_before;

CREATE VIEW purchases_event AS
SELECT id AS purchase_id, customer_id, position, NULL::tid AS place FROM events_event
UNION ALL
(WITH next AS MATERIALIZED (
    SELECT id, customer_id, ctid AS place FROM events_outbox WHERE type = 1
    ORDER BY id LIMIT 2000
)
SELECT id, customer_id, NULL, place FROM next);

CREATE FUNCTION purchases_event_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO events_outbox (id, customer_id) VALUES (NEW.purchase_id, NEW.customer_id);
    RETURN NEW;
END
$$;
CREATE TRIGGER purchases_event_insert INSTEAD OF INSERT ON purchases_event
    FOR EACH ROW EXECUTE FUNCTION purchases_event_insert();

CREATE FUNCTION purchases_event_number() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    recorder bigint;
BEGIN
    IF OLD.position IS NOT NULL OR NEW.position IS NULL
       OR NEW.purchase_id <> OLD.purchase_id OR NEW.customer_id <> OLD.customer_id THEN
        RAISE EXCEPTION 'The event log only grows: % of % is refused.', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    DELETE FROM events_outbox WHERE ctid = OLD.place AND id = OLD.purchase_id
        RETURNING recorder_id INTO recorder;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO events_event (position, id, type, customer_id, recorder_id, at)
    VALUES (NEW.position, NEW.purchase_id, 1, NEW.customer_id, recorder,
            coalesce(uuid_extract_timestamp(NEW.purchase_id), now()));
    RETURN NEW;
END
$$;
CREATE TRIGGER purchases_event_number INSTEAD OF UPDATE ON purchases_event
    FOR EACH ROW EXECUTE FUNCTION purchases_event_number();
"""


def swap(cursor):
    cursor.execute("LOCK TABLE purchases_event IN ACCESS EXCLUSIVE MODE")
    while True:
        cursor.execute(_copy.COPY, [_copy.BATCH])
        if cursor.rowcount < _copy.BATCH:
            break
    cursor.execute(SWAP)


def swap_once(apps, schema_editor):
    if not _copy._is_view(schema_editor):
        # Copy the events numbered meanwhile first, so that little work is left under the lock.
        _copy.copy(apps, schema_editor)
        briefly(swap)(apps, schema_editor)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("purchases", "0007_copy_events")]
    operations = [
        migrations.RunPython(swap_once, migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("Event")]),
    ]
    safe_because = {
        0: "The view takes the table's place in one transaction of milliseconds, whose lock is"
        " waited for briefly; the previous version can read and write all its columns there.",
    }
