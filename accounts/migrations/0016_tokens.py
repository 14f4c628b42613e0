import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.keys.models
import shop.core.ids


class Migration(migrations.Migration):
    """``accounts.Token`` is the model of knox's table, which gets the columns of keys."""

    dependencies = [("accounts", "0015_second_factors")]
    safe_because = {
        0: "Columns are NULL or have constant defaults, and the default of ids is for later rows:"
        " no row is written. The constraint is not yet validated.",
    }

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    """
                    ALTER TABLE knox_authtoken
                        ADD COLUMN id uuid,
                        ADD COLUMN kind smallint NOT NULL DEFAULT 0,
                        ADD COLUMN name varchar(100) NOT NULL DEFAULT '',
                        ADD COLUMN prefix varchar(12) NOT NULL DEFAULT '',
                        ADD COLUMN networks cidr[],
                        ADD COLUMN methods varchar(60) NOT NULL DEFAULT '',
                        ADD COLUMN last_used_at timestamptz,
                        ADD COLUMN last_used_address inet,
                        ADD COLUMN replaced_by uuid,
                        ADD COLUMN parent_id varchar(128),
                        ALTER COLUMN id SET DEFAULT uuidv7(),
                        ADD CONSTRAINT knox_authtoken_parent_fk FOREIGN KEY (parent_id)
                            REFERENCES knox_authtoken (digest) ON DELETE CASCADE NOT VALID
                    """,
                    """
                    ALTER TABLE knox_authtoken
                        DROP COLUMN id, DROP COLUMN kind, DROP COLUMN name, DROP COLUMN prefix,
                        DROP COLUMN networks, DROP COLUMN methods, DROP COLUMN last_used_at,
                        DROP COLUMN last_used_address, DROP COLUMN replaced_by,
                        DROP COLUMN parent_id
                    """,
                )
            ],
            state_operations=[
                migrations.CreateModel(
                    name="Token",
                    fields=[
                        (
                            "digest",
                            models.CharField(max_length=128, primary_key=True, serialize=False),
                        ),
                        ("token_key", models.CharField(db_index=True, max_length=25)),
                        ("created", models.DateTimeField(auto_now_add=True)),
                        ("expiry", models.DateTimeField(blank=True, null=True)),
                        (
                            "id",
                            models.UUIDField(db_default=shop.core.ids.UUIDv7(), editable=False),
                        ),
                        (
                            "kind",
                            models.SmallIntegerField(
                                choices=[(0, "token"), (1, "key"), (2, "jwt")],
                                db_default=0,
                                default=0,
                            ),
                        ),
                        (
                            "name",
                            models.CharField(blank=True, db_default="", default="", max_length=100),
                        ),
                        (
                            "prefix",
                            models.CharField(blank=True, db_default="", default="", max_length=12),
                        ),
                        ("permissions", models.BigIntegerField(db_default=-1, default=-1)),
                        (
                            "networks",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=accounts.keys.models.CidrField(),
                                blank=True,
                                null=True,
                                size=None,
                            ),
                        ),
                        (
                            "methods",
                            models.CharField(blank=True, db_default="", default="", max_length=60),
                        ),
                        ("last_used_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "last_used_address",
                            models.GenericIPAddressField(blank=True, null=True),
                        ),
                        ("replaced_by", models.UUIDField(blank=True, null=True)),
                        (
                            "parent",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="accounts.token",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="auth_token_set",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={"verbose_name": "token", "db_table": "knox_authtoken"},
                ),
            ],
        )
    ]
