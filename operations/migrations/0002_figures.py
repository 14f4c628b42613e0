import django.contrib.postgres.fields
import django.db.models.functions.datetime
import shop.core.ids
from django.db import migrations, models

from shop.core.partitions import CreatePartitioned


class Migration(migrations.Migration):

    dependencies = [
        ('operations', '0001_instances'),
    ]

    operations = [
        migrations.CreateModel(
            name='Deploy',
            fields=[
                ('id', models.UUIDField(db_default=shop.core.ids.UUIDv7(), editable=False, primary_key=True, serialize=False)),
                ('version', models.CharField(max_length=100)),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('by', models.CharField(blank=True, max_length=200)),
                ('notes', models.TextField(blank=True, max_length=2000)),
            ],
            options={
                'ordering': ['-started_at', '-id'],
            },
        ),
        CreatePartitioned(
            name='Hour',
            by='hour',
            every='month',
            fields=[
                ('pk', models.CompositePrimaryKey('hour', 'route', 'status_class', blank=True, editable=False, primary_key=True, serialize=False)),
                ('hour', models.DateTimeField()),
                ('route', models.CharField(max_length=200)),
                ('status_class', models.SmallIntegerField()),
                ('requests', models.BigIntegerField()),
                ('seconds', models.FloatField()),
                ('numbers', django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None)),
                ('counts', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
            ],
        ),
        CreatePartitioned(
            name='Minute',
            by='minute',
            every='day',
            fields=[
                ('pk', models.CompositePrimaryKey('minute', 'instance_id', 'run', 'route', 'status_class', blank=True, editable=False, primary_key=True, serialize=False)),
                ('minute', models.DateTimeField()),
                ('instance_id', models.UUIDField()),
                ('run', models.SmallIntegerField()),
                ('route', models.CharField(max_length=200)),
                ('status_class', models.SmallIntegerField()),
                ('requests', models.BigIntegerField()),
                ('seconds', models.FloatField()),
                ('numbers', django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None)),
                ('counts', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
            ],
        ),
        CreatePartitioned(
            name='ObservedHour',
            by='hour',
            every='month',
            fields=[
                ('hour', models.DateTimeField(primary_key=True, serialize=False)),
                ('minutes', models.SmallIntegerField()),
                ('users', models.IntegerField()),
                ('instances', models.IntegerField()),
                ('signed_in', models.IntegerField()),
                ('signed_out', models.IntegerField()),
            ],
        ),
        CreatePartitioned(
            name='Presence',
            by='minute',
            every='day',
            fields=[
                ('pk', models.CompositePrimaryKey('minute', 'instance_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('minute', models.DateTimeField()),
                ('instance_id', models.UUIDField()),
                ('kind', models.CharField(max_length=20)),
                ('sockets', models.IntegerField()),
                ('users', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
            ],
        ),
        CreatePartitioned(
            name='SessionEvent',
            by='at',
            every='month',
            fields=[
                ('pk', models.CompositePrimaryKey('at', 'id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('id', models.UUIDField(db_default=shop.core.ids.UUIDv7(), editable=False)),
                ('kind', models.CharField(choices=[('signed_in', 'Signed In'), ('signed_out', 'Signed Out'), ('expired', 'Expired'), ('revoked', 'Revoked')], max_length=20)),
                ('user_id', models.BigIntegerField(null=True)),
                ('channel', models.CharField(max_length=20)),
            ],
            options={
                'indexes': [models.Index(fields=['kind', 'at'], name='operations_session_kind')],
            },
        ),
    ]
