import accounts.models
import accounts.names
import django.core.validators
from django.db import migrations, models

KEY = 'normalize(casefold(normalize(username, NFKC) COLLATE "pg_unicode_fast"), NFKC)'


class Migration(migrations.Migration):
    # An index that is built beside the running site cannot be built inside a transaction.
    atomic = False
    dependencies = [("accounts", "0002_outgoing_mail")]
    safe_because = {
        3: "The few rows that it changes are found by the running version as before.",
        4: "It renames the one account that the next import by the running version makes anew.",
        5: "The index is built concurrently, on rows that the operation before made unique.",
    }
    operations = [
        migrations.AddField(
            model_name="user",
            name="namesake",
            field=models.PositiveSmallIntegerField(db_default=0, editable=False),
        ),
        migrations.AlterField(
            model_name="user",
            name="username",
            field=models.CharField(
                max_length=150,
                unique=True,
                validators=[
                    django.core.validators.MinLengthValidator(1),
                    accounts.names.SignInName(),
                    accounts.names.NewUsername(),
                ],
            ),
        ),
        migrations.AlterField(
            model_name="user",
            name="userid",
            field=models.CharField(
                default=accounts.models.new_userid,
                max_length=64,
                unique=True,
                validators=[accounts.names.NewUserid()],
            ),
        ),
        migrations.RunSQL(
            [
                # Names that have become the same keep their accounts, which the oldest leads.
                f"""
                UPDATE accounts_user SET namesake = numbered.place
                FROM (
                    SELECT id, row_number() OVER (PARTITION BY {KEY} ORDER BY id) - 1 AS place
                    FROM accounts_user
                ) AS numbered
                WHERE numbered.id = accounts_user.id AND numbered.place > 0
                """,
                # A name that has no namesake is written as it would be today.
                f"""
                UPDATE accounts_user SET username = normalize(username, NFC)
                WHERE username IS NOT NFC NORMALIZED
                  AND char_length(normalize(username, NFC)) <= 150
                  AND NOT EXISTS (
                    SELECT FROM accounts_user AS other
                    WHERE other.id <> accounts_user.id AND other.namesake <> accounts_user.namesake
                      AND {KEY.replace("username", "other.username")}
                          = {KEY.replace("username", "accounts_user.username")}
                  )
                """,
                """
                UPDATE accounts_user SET userid = normalize(userid, NFC)
                WHERE userid IS NOT NFC NORMALIZED
                  AND char_length(normalize(userid, NFC)) <= 64
                  AND NOT EXISTS (
                    SELECT FROM accounts_user AS other
                    WHERE other.id <> accounts_user.id
                      AND normalize(other.userid, NFC) = normalize(accounts_user.userid, NFC)
                  )
                """,
            ],
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            """
            UPDATE accounts_user SET username = 'system:importer', userid = 'system:importer'
            WHERE username = 'importer' AND userid = 'importer' AND is_client
              AND password LIKE '!%'
            """,
            migrations.RunSQL.noop,
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"""
                    CREATE UNIQUE INDEX CONCURRENTLY accounts_user_name_key
                    ON accounts_user (({KEY}), namesake)
                    """,
                    "DROP INDEX CONCURRENTLY accounts_user_name_key",
                )
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="user",
                    constraint=models.UniqueConstraint(
                        accounts.names.NameKey("username"),
                        "namesake",
                        name="accounts_user_name_key",
                    ),
                )
            ],
        ),
        migrations.AlterModelManagers(
            name="user", managers=[("objects", accounts.models.Accounts())]
        ),
    ]
