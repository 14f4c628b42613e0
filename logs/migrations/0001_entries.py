import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.functions.datetime
from django.db import migrations, models

from shop.core.append_only import AppendOnly
from shop.core.partitions import CreatePartitioned


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        CreatePartitioned(
            name='Entry',
            by='at',
            split='kept',
            families=('debug', 'info', 'warning'),
            fields=[
                ('pk', models.CompositePrimaryKey('at', 'uuid', 'kept', blank=True, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('uuid', models.UUIDField(db_column='id')),
                ('kept', models.CharField(choices=[('debug', 'debug'), ('info', 'info'), ('warning', 'warning')], db_default='info', max_length=7)),
                ('level', models.SmallIntegerField()),
                ('part', models.TextField()),
                ('instance', models.TextField()),
                ('logger', models.TextField()),
                ('event', models.TextField()),
                ('message', models.TextField()),
                ('request_id', models.TextField()),
                ('user_id', models.BigIntegerField(null=True)),
                ('fields', models.JSONField()),
                ('words', django.contrib.postgres.search.SearchVectorField(null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('request_id', ''), _negated=True), fields=['request_id'], name='logs_entry_request'), models.Index(condition=models.Q(('user_id__isnull', False)), fields=['user_id', 'at'], name='logs_entry_user'), django.contrib.postgres.indexes.GinIndex(fields=['words'], name='logs_entry_words')],
            },
        ),
        AppendOnly('Entry', erasable=['message', 'fields', 'words']),
    ]
