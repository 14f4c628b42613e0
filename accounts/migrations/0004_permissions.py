import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """What accounts and tokens may do, as masks; see ``accounts.permissions``.

    Django 5.2 knows no virtual columns, and knox's model is not ours, so both are SQL.
    """

    dependencies = [
        ("accounts", "0003_names"),
        ("knox", "0009_extend_authtoken_field"),
    ]

    safe_because = {
        2: "A virtual column is in the catalogue only; the lock lasts a moment.",
        3: "The default is a constant, so that no row is written; the lock lasts a moment.",
    }

    operations = [
        migrations.AddField(
            model_name="user",
            name="roles",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=20),
                blank=True,
                db_default=[],
                default=list,
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="role_permissions",
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
        # The masks of the roles admin, client and customer. Another mask is another migration with
        # ALTER COLUMN permissions SET EXPRESSION.
        migrations.RunSQL(
            """
            ALTER TABLE accounts_user ADD COLUMN permissions bigint GENERATED ALWAYS AS (
                role_permissions | CASE
                    WHEN is_superuser OR is_staff THEN 268435455
                    WHEN is_client THEN 9
                    ELSE 1246003
                END
            ) VIRTUAL
            """,
            "ALTER TABLE accounts_user DROP COLUMN permissions",
        ),
        migrations.RunSQL(
            "ALTER TABLE knox_authtoken ADD COLUMN permissions bigint NOT NULL DEFAULT -1",
            "ALTER TABLE knox_authtoken DROP COLUMN permissions",
        ),
    ]
