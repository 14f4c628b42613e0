"""When versions stopped being those of new attempts."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("quizzes", "0006_consents_again")]
    operations = [
        migrations.AddField("quiz", "retired", models.JSONField(default=dict, db_default={})),
    ]
