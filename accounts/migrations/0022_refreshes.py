from django.db import migrations, models


class Migration(migrations.Migration):
    """How often a grant of JWTs was refreshed. Both columns come at once, because tokens are read
    by every request.
    """

    dependencies = [("accounts", "0021_captcha_used")]
    safe_because = {0: "One column is NULL and the other has a constant default: no row is written."}

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    """
                    ALTER TABLE knox_authtoken
                        ADD COLUMN refreshes integer NOT NULL DEFAULT 0
                            CONSTRAINT knox_authtoken_refreshes_check CHECK (refreshes >= 0),
                        ADD COLUMN refreshed_at timestamptz
                    """,
                    "ALTER TABLE knox_authtoken DROP COLUMN refreshes, DROP COLUMN refreshed_at",
                )
            ],
            state_operations=[
                migrations.AddField(
                    model_name="token",
                    name="refreshes",
                    field=models.PositiveIntegerField(db_default=0, default=0),
                ),
                migrations.AddField(
                    model_name="token",
                    name="refreshed_at",
                    field=models.DateTimeField(blank=True, null=True),
                ),
            ],
        )
    ]
