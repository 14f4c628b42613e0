"""An index of failed documents, which every page of staff counts."""

from django.db import migrations, models

from shop.core.locking import AddIndexConcurrently


class Migration(migrations.Migration):
    # An index that is built beside the running site cannot be built inside a transaction.
    atomic = False
    dependencies = [("documents", "0003_by_customer")]
    operations = [
        AddIndexConcurrently(
            model_name="document",
            index=models.Index(
                condition=models.Q(("status", "failed")),
                fields=["created_at", "id"],
                name="reports_failed",
            ),
        )
    ]
