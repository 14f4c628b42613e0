"""When versions stopped being those of new attempts, and which texts an attempt has."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("quizzes", "0006_consents_again")]
    operations = [
        migrations.AddField("quiz", "retired", models.JSONField(default=dict, db_default={})),
        migrations.AddField(
            "attempt",
            "written",
            ArrayField(models.CharField(max_length=40), default=list, db_default=[]),
        ),
    ]
