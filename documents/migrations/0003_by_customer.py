from django.db import migrations, models
from django.db.models.fields.json import KeyTransform

from shop.core.locking import AddIndexConcurrently


class Migration(migrations.Migration):
    # An index that is built beside the running site cannot be built inside a transaction.
    atomic = False
    dependencies = [("documents", "0002_any_kind")]
    operations = [
        AddIndexConcurrently(
            model_name="document",
            index=models.Index(
                KeyTransform("customer", "parameters"),
                "created_at",
                "id",
                name="documents_by_customer",
            ),
        )
    ]
