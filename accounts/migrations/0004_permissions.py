import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """What accounts may do, as a mask; see ``accounts.permissions``.

    Django 5.2 knows no virtual columns. The three columns come at once, because every request
    needs the table.
    """

    dependencies = [("accounts", "0003_names")]
    safe_because = {
        0: "The defaults are constants and the third column is virtual: no row is written.",
    }

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                # The masks of the roles admin, client and customer. Another mask is another
                # migration with ALTER COLUMN permissions SET EXPRESSION.
                migrations.RunSQL(
                    """
                    ALTER TABLE accounts_user
                        ADD COLUMN roles varchar(20)[] NOT NULL DEFAULT '{}',
                        ADD COLUMN role_permissions bigint NOT NULL DEFAULT 0,
                        ADD COLUMN permissions bigint GENERATED ALWAYS AS (
                            role_permissions | CASE
                                WHEN is_superuser OR is_staff THEN 268435455
                                WHEN is_client THEN 9
                                ELSE 1246003
                            END
                        ) VIRTUAL
                    """,
                    """
                    ALTER TABLE accounts_user
                        DROP COLUMN permissions,
                        DROP COLUMN role_permissions,
                        DROP COLUMN roles
                    """,
                )
            ],
            state_operations=[
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
            ],
        )
    ]
