"""Derived data may have versions, so that a rebuild takes nothing from readers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0003_recorder")]
    safe_because = dict.fromkeys(
        (1, 2, 3),
        "All are columns of one table of few rows, which only followers use, and take one moment.",
    )

    operations = [
        migrations.AddField(
            "followercursor", "version", models.IntegerField(default=0, db_default=0)
        ),
        migrations.AddField("followercursor", "next_version", models.IntegerField(null=True)),
        migrations.AddField("followercursor", "next_position", models.BigIntegerField(null=True)),
        migrations.AddField(
            "followercursor",
            "has_leftovers",
            models.BooleanField(default=False, db_default=False),
        ),
    ]
