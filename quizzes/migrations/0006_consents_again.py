"""A consent that was taken back before it was confirmed may be given again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    safe_because = dict.fromkeys((0, 1), "No released version has the table.")
    dependencies = [("quizzes", "0005_lead_names")]
    operations = [
        migrations.RemoveConstraint("consent", "quizzes_consent_once"),
        migrations.AddConstraint(
            "consent",
            models.UniqueConstraint(
                fields=("result", "lead", "purpose", "text"),
                condition=models.Q(withdrawn_at=None),
                name="quizzes_consent_open",
            ),
        ),
    ]
