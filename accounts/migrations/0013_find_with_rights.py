from django.db import migrations, models

from shop.core.locking import AddIndexConcurrently


class Migration(migrations.Migration):
    # An index that is built beside the running site cannot be built inside a transaction.
    atomic = False
    dependencies = [("accounts", "0012_team_roles")]
    operations = [
        AddIndexConcurrently(
            model_name="user",
            index=models.Index(
                fields=["id"],
                name="accounts_user_with_rights",
                condition=models.Q(
                    ("is_staff", True),
                    ("is_superuser", True),
                    ("is_client", True),
                    models.Q(("roles", []), _negated=True),
                    models.Q(("team_roles", []), _negated=True),
                    _connector="OR",
                ),
            ),
        )
    ]
