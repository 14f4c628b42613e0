from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

FILL = """
UPDATE knox_authtoken SET id = DEFAULT WHERE digest IN (
    SELECT digest FROM knox_authtoken WHERE id IS NULL LIMIT 2000 FOR UPDATE SKIP LOCKED
)
"""


def fill(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give every token an id, some at a time; the database gives new ones theirs."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM knox_authtoken WHERE id IS NULL)")
        while cursor.fetchone()[0]:
            cursor.execute(FILL)
            cursor.execute("SELECT EXISTS (SELECT FROM knox_authtoken WHERE id IS NULL)")


class Migration(migrations.Migration):
    # Each statement is a transaction of its own, so that no lock is kept meanwhile.
    atomic = False
    dependencies = [("accounts", "0016_tokens")]
    safe_because = {
        0: "Each statement writes 2000 rows at most, and leaves those that somebody has locked.",
        1: "Adding the constraint reads no row; validating it lets others read and write.",
    }

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunSQL(
            [
                "ALTER TABLE knox_authtoken DROP CONSTRAINT IF EXISTS knox_authtoken_id_not_null",
                "ALTER TABLE knox_authtoken"
                " ADD CONSTRAINT knox_authtoken_id_not_null NOT NULL id NOT VALID",
                "ALTER TABLE knox_authtoken VALIDATE CONSTRAINT knox_authtoken_id_not_null",
                "ALTER TABLE knox_authtoken VALIDATE CONSTRAINT knox_authtoken_parent_fk",
            ],
            "ALTER TABLE knox_authtoken DROP CONSTRAINT IF EXISTS knox_authtoken_id_not_null",
        ),
    ]
