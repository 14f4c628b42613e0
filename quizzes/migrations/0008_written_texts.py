"""Which questions of an attempt have a text, because texts are sealed."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("quizzes", "0007_retired_versions")]
    operations = [
        migrations.AddField(
            "attempt",
            "written",
            ArrayField(models.CharField(max_length=40), default=list, db_default=[]),
        ),
    ]
