"""Accounts are deactivated, never deleted, so a purchase needs no foreign keys to them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from shop.core.locking import briefly

KEEP = """
CREATE OR REPLACE FUNCTION purchases_keep_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'An account is deactivated, never deleted: purchases may name it.'
        USING ERRCODE = 'restrict_violation';
END
$$;
DROP TRIGGER IF EXISTS accounts_user_kept ON accounts_user;
CREATE TRIGGER accounts_user_kept BEFORE DELETE ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION purchases_keep_account();
"""
FOREIGN_KEYS = """
SELECT quote_ident(conname) FROM pg_constraint
WHERE contype = 'f' AND conrelid = 'purchases_purchase'::regclass
  AND confrelid = 'accounts_user'::regclass
"""


def free(cursor):
    cursor.execute("LOCK TABLE purchases_purchase, accounts_user IN ACCESS EXCLUSIVE MODE")
    cursor.execute(KEEP)
    cursor.execute(FOREIGN_KEYS)
    for (name,) in cursor.fetchall():
        cursor.execute(f"ALTER TABLE purchases_purchase DROP CONSTRAINT {name}")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("purchases", "0009_drop_copied_events"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(briefly(free), migrations.RunPython.noop)],
            state_operations=[
                migrations.AlterField(
                    model_name="purchase",
                    name="customer",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="purchases",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AlterField(
                    model_name="purchase",
                    name="recorded_by",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
    ]
    safe_because = {
        0: "No version deletes an account or misses the keys; both locks are held for a moment,"
        " and waited for briefly.",
    }
