"""The name that came with an address, until it is confirmed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("quizzes", "0004_grants_without_a_result")]
    operations = [
        migrations.AddField("leadresult", "name", models.BinaryField(max_length=600, null=True)),
    ]
