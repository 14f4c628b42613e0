"""Documents without a period, which have parameters instead."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("documents", "0001_initial"), ("reports", "0003_documents")]
    safe_because = {0: "Only the catalogue changes, at once; the previous version writes all columns."}
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    """
                    ALTER TABLE reports_report
                        ALTER COLUMN since DROP NOT NULL,
                        ALTER COLUMN until DROP NOT NULL,
                        ADD COLUMN parameters jsonb NOT NULL DEFAULT '{}'
                    """,
                    """
                    ALTER TABLE reports_report
                        ALTER COLUMN since SET NOT NULL,
                        ALTER COLUMN until SET NOT NULL,
                        DROP COLUMN parameters
                    """,
                )
            ],
            state_operations=[
                migrations.AlterField("document", "since", models.DateField(null=True)),
                migrations.AlterField("document", "until", models.DateField(null=True)),
                migrations.AddField(
                    "document", "parameters", models.JSONField(db_default={}, default=dict)
                ),
            ],
        )
    ]
