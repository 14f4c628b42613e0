import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import events.models

# The relay deletes each row soon, and reads past dead rows at every poll. So dead rows must go
# soon. The relay runs VACUUM itself; these settings are for roles without that right.
OUTBOX = """
CREATE TABLE events_outbox (
    id uuid NOT NULL,
    type smallint NOT NULL DEFAULT 1,
    customer_id bigint,
    payload jsonb,
    xid bigint NOT NULL DEFAULT txid_current()
) WITH (
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX events_outbox_by_xid ON events_outbox USING brin (xid) WITH (pages_per_range = 8);
"""

APPEND_ONLY = """
CREATE FUNCTION events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The event log only grows: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER events_event_append_only BEFORE UPDATE OR DELETE ON events_event
    FOR EACH ROW EXECUTE FUNCTION events_refuse_change();
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(OUTBOX, "DROP TABLE events_outbox")],
            state_operations=[
                migrations.CreateModel(
                    name="Outbox",
                    fields=[
                        (
                            "key",
                            models.UUIDField(db_column="id", primary_key=True, serialize=False),
                        ),
                        ("type", models.SmallIntegerField(db_default=1)),
                        ("payload", models.JSONField(null=True)),
                        ("xid", models.BigIntegerField(db_default=events.models.TransactionId())),
                        (
                            "customer",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "verbose_name": "event without a position",
                        "verbose_name_plural": "outbox",
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("key", models.UUIDField(db_column="id", unique=True)),
                ("type", models.SmallIntegerField()),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("payload", models.JSONField(null=True)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["position"],
                "indexes": [
                    models.Index(fields=["customer", "position"], name="events_by_customer"),
                    models.Index(
                        condition=models.Q(("type__gt", 1)),
                        fields=["type", "position"],
                        name="events_by_type",
                    ),
                    models.Index(
                        condition=models.Q(("type__gt", 1)),
                        fields=["customer", "type", "position"],
                        name="events_by_customer_and_type",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            APPEND_ONLY,
            "DROP TRIGGER events_event_append_only ON events_event;"
            "DROP FUNCTION events_refuse_change();",
        ),
    ]
