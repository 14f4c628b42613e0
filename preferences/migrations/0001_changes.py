"""The changes of settings at run time, which only grow."""

import django.db.models.functions.datetime
from django.db import migrations, models

from shop.core.append_only import AppendOnly


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Change',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.BigIntegerField()),
                ('name', models.CharField(max_length=60)),
                ('value', models.JSONField(null=True)),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('changed_by_id', models.BigIntegerField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['name', '-version'], name='preferences_change_by_name')],
                'constraints': [models.UniqueConstraint(fields=('version', 'name'), name='preferences_change_once')],
            },
        ),
        AppendOnly("Change"),
    ]
