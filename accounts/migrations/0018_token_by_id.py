from django.db import migrations, models

from shop.core.locking import AddIndexConcurrently


class Migration(migrations.Migration):
    # An index that is built beside the running site cannot be built inside a transaction.
    atomic = False
    dependencies = [("accounts", "0017_token_ids")]
    operations = [
        AddIndexConcurrently(
            model_name="token",
            index=models.Index(fields=["id"], name="knox_authtoken_id"),
        )
    ]
