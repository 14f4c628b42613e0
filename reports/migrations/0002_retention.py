from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # An index that is built beside the running site cannot be built inside a transaction.
    atomic = False
    dependencies = [("reports", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="report", name="removed_at", field=models.DateTimeField(null=True)
        ),
        AddIndexConcurrently(
            model_name="report",
            index=models.Index(
                fields=["requested_by"],
                condition=models.Q(("status", "rendering")),
                name="reports_rendering",
            ),
        ),
    ]
