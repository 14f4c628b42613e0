"""A report is a document of two kinds; the table is the same."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("documents", "0001_initial"), ("reports", "0002_retention")]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel("Report"),
                migrations.CreateModel(
                    name="Report",
                    fields=[],
                    options={
                        "ordering": ["-created_at", "-id"],
                        "proxy": True,
                        "indexes": [],
                        "constraints": [],
                    },
                    bases=("documents.document",),
                ),
            ],
        ),
    ]
