from django.db import migrations, models

from shop.core.locking import AddIndexConcurrently


class Migration(migrations.Migration):
    # An index that is built beside the running site cannot be built inside a transaction.
    atomic = False
    dependencies = [("purchases", "0002_append_only")]
    operations = [
        AddIndexConcurrently(
            model_name="purchase",
            index=models.Index(fields=["price", "timestamp", "id"], name="purchases_by_price"),
        )
    ]
