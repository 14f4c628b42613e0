from django.db import migrations, models

from accounts.names import NameKey
from shop.core.locking import AddIndexConcurrently


class Migration(migrations.Migration):
    # An index that is built beside the running site cannot be built inside a transaction.
    atomic = False
    dependencies = [("accounts", "0006_find_by_userid")]
    operations = [
        AddIndexConcurrently(
            model_name="user",
            index=models.Index(
                NameKey("email"),
                name="accounts_user_email_start",
                condition=models.Q(("email", ""), _negated=True),
            ),
        )
    ]
