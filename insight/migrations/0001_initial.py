"""Roll-ups of the ledger."""

from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name='CustomerDay',
            fields=[
                ('version', models.IntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('purchases', models.BigIntegerField()),
                ('quantity', models.BigIntegerField()),
                ('revenue', models.DecimalField(decimal_places=2, max_digits=30)),
                ('pk', models.CompositePrimaryKey('version', 'day', 'currency', 'customer_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('customer_id', models.BigIntegerField()),
                ('day', models.DateField()),
            ],
            options={
                'db_table': 'insight_customer_day',
            },
        ),
        migrations.CreateModel(
            name='SalesSlot',
            fields=[
                ('version', models.IntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('purchases', models.BigIntegerField()),
                ('quantity', models.BigIntegerField()),
                ('revenue', models.DecimalField(decimal_places=2, max_digits=30)),
                ('pk', models.CompositePrimaryKey('version', 'slot', 'currency', blank=True, editable=False, primary_key=True, serialize=False)),
                ('slot', models.DateTimeField()),
            ],
            options={
                'db_table': 'insight_slot',
            },
        ),
        migrations.CreateModel(
            name='CustomerSum',
            fields=[
                ('version', models.IntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('purchases', models.BigIntegerField()),
                ('quantity', models.BigIntegerField()),
                ('revenue', models.DecimalField(decimal_places=2, max_digits=30)),
                ('pk', models.CompositePrimaryKey('version', 'customer_id', 'currency', blank=True, editable=False, primary_key=True, serialize=False)),
                ('customer_id', models.BigIntegerField()),
                ('first_at', models.DateTimeField()),
                ('last_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'insight_customer',
                'indexes': [models.Index(fields=['version', 'first_at'], name='insight_customers_by_first')],
            },
        ),
        migrations.CreateModel(
            name='ItemDay',
            fields=[
                ('version', models.IntegerField()),
                ('currency', models.CharField(max_length=3)),
                ('purchases', models.BigIntegerField()),
                ('quantity', models.BigIntegerField()),
                ('revenue', models.DecimalField(decimal_places=2, max_digits=30)),
                ('pk', models.CompositePrimaryKey('version', 'item', 'day', 'currency', blank=True, editable=False, primary_key=True, serialize=False)),
                ('item', models.CharField(blank=True, max_length=200)),
                ('day', models.DateField()),
            ],
            options={
                'db_table': 'insight_item_day',
                'indexes': [models.Index(fields=['version', 'day'], name='insight_items_by_day')],
            },
        ),
        # Rows change in their place, because their pages have room for the new ones.
        migrations.RunSQL(
            [
                "ALTER TABLE insight_slot SET (fillfactor = 70)",
                "ALTER TABLE insight_item_day SET (fillfactor = 70)",
                "ALTER TABLE insight_customer_day SET (fillfactor = 85)",
                "ALTER TABLE insight_customer SET (fillfactor = 70)",
            ],
            migrations.RunSQL.noop,
        ),
    ]
