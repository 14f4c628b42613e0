from django.db import migrations, models

from shop.core.locking import AddIndexConcurrently


class Migration(migrations.Migration):
    # An index that is built beside the running site cannot be built inside a transaction.
    atomic = False
    dependencies = [("purchases", "0010_accounts_stay")]
    operations = [
        AddIndexConcurrently(
            model_name="purchase",
            index=models.Index(
                condition=models.Q(("recorded_by", models.F("customer")), _negated=True),
                fields=["recorded_by", "timestamp", "id"],
                name="purchases_by_recorder",
            ),
        )
    ]
