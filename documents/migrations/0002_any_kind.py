"""Documents that are about no period, and what they are about instead."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("documents", "0001_initial"), ("reports", "0003_documents")]
    operations = [
        migrations.AlterField("document", "since", models.DateField(null=True)),
        migrations.AlterField("document", "until", models.DateField(null=True)),
        migrations.AddField("document", "parameters", models.JSONField(db_default={}, default=dict)),
    ]
