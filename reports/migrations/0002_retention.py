from django.db import migrations, models

from shop.core.locking import AddIndexConcurrently


class Migration(migrations.Migration):
    # An index that is built beside the running site cannot be built inside a transaction.
    atomic = False
    dependencies = [("reports", "0001_initial")]
    safe_because = {1: "The version before has applied it."}
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
