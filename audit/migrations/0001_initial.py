import django.db.models.functions.datetime
import shop.core.ids
from django.db import migrations, models

from shop.core.append_only import AppendOnly

# A waiting entry is never changed, and deleted only by the transaction that has sealed it.
KEEP_WAITING = """
CREATE FUNCTION audit_keep_waiting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM audit_entry WHERE id = OLD.id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'An entry of the audit is only sealed: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER keep_waiting BEFORE UPDATE OR DELETE ON audit_waiting
    FOR EACH ROW EXECUTE FUNCTION audit_keep_waiting();
"""
LET_WAITING_GO = """
DROP TRIGGER keep_waiting ON audit_waiting;
DROP FUNCTION audit_keep_waiting();
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seq', models.BigIntegerField()),
                ('note', models.TextField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['-pk'],
                'indexes': [models.Index(fields=['seq'], name='audit_checkpoints_by_seq')],
            },
        ),
        migrations.CreateModel(
            name='Waiting',
            fields=[
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('action', models.CharField(max_length=60)),
                ('actor_id', models.BigIntegerField(null=True)),
                ('account_id', models.BigIntegerField(null=True)),
                ('object', models.CharField(max_length=120)),
                ('before', models.JSONField(null=True)),
                ('after', models.JSONField(null=True)),
                ('credential', models.CharField(max_length=120)),
                ('request_id', models.CharField(max_length=64)),
                ('commitment', models.CharField(max_length=64)),
                ('id', models.UUIDField(db_default=shop.core.ids.UUIDv7(), editable=False, primary_key=True, serialize=False)),
            ],
            options={
                'verbose_name': 'entry that is not sealed yet',
                'verbose_name_plural': 'entries that are not sealed yet',
            },
        ),
        migrations.CreateModel(
            name='Detail',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('account_id', models.BigIntegerField()),
                ('actor_id', models.BigIntegerField(null=True)),
                ('sealed', models.TextField()),
            ],
            options={
                'indexes': [models.Index(fields=['account_id'], name='audit_details_by_account'), models.Index(fields=['actor_id'], name='audit_details_by_actor')],
            },
        ),
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('action', models.CharField(max_length=60)),
                ('actor_id', models.BigIntegerField(null=True)),
                ('account_id', models.BigIntegerField(null=True)),
                ('object', models.CharField(max_length=120)),
                ('before', models.JSONField(null=True)),
                ('after', models.JSONField(null=True)),
                ('credential', models.CharField(max_length=120)),
                ('request_id', models.CharField(max_length=64)),
                ('commitment', models.CharField(max_length=64)),
                ('seq', models.BigIntegerField(primary_key=True, serialize=False)),
                ('key', models.UUIDField(db_column='id', unique=True)),
                ('previous', models.CharField(max_length=64)),
                ('hash', models.CharField(max_length=64)),
            ],
            options={
                'verbose_name_plural': 'entries',
                'ordering': ['-seq'],
                'indexes': [models.Index(fields=['actor_id', 'seq'], name='audit_by_actor'), models.Index(fields=['account_id', 'seq'], name='audit_by_account'), models.Index(fields=['action', 'seq'], name='audit_by_action'), models.Index(fields=['object', 'seq'], name='audit_by_object'), models.Index(fields=['at'], name='audit_by_time')],
            },
        ),
        AppendOnly("Entry"),
        AppendOnly("Checkpoint"),
        migrations.RunSQL(KEEP_WAITING, LET_WAITING_GO),
    ]
