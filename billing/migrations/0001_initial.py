import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import shop.core.ids
from django.conf import settings
from django.db import migrations, models

from shop.core.append_only import AppendOnly


# The first of a series has no previous number, so the foreign key lets it pass. Every other one needs
# the row before it, with its hash, so nobody can insert a gap or a broken chain.
CHAIN = """
ALTER TABLE billing_document
    ADD COLUMN previous integer GENERATED ALWAYS AS (NULLIF(number - 1, 0)) STORED,
    ADD CONSTRAINT billing_previous FOREIGN KEY (series, previous, previous_hash)
        REFERENCES billing_document (series, number, hash),
    ADD CONSTRAINT billing_first CHECK (
        number > 1 OR previous_hash = decode(repeat('00', 32), 'hex')),
    ADD CONSTRAINT billing_hash CHECK (hash = sha256(previous_hash || canonical)),
    ADD CONSTRAINT billing_exponent CHECK (
        exponent BETWEEN 0 AND 2 AND total = round(total, exponent) AND net = round(net, exponent));
"""
UNCHAIN = """
ALTER TABLE billing_document
    DROP CONSTRAINT billing_exponent,
    DROP CONSTRAINT billing_hash,
    DROP CONSTRAINT billing_first,
    DROP CONSTRAINT billing_previous,
    DROP COLUMN previous;
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0024_keys_asked'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Document',
            fields=[
                ('id', models.UUIDField(db_default=shop.core.ids.UUIDv7(), editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('label', models.CharField(max_length=40, unique=True)),
                ('kind', models.CharField(choices=[('invoice', 'Invoice'), ('credit_note', 'Credit Note')], max_length=20)),
                ('currency', models.CharField(max_length=3)),
                ('exponent', models.PositiveSmallIntegerField()),
                ('issued_on', models.DateField()),
                ('issued_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('due_on', models.DateField(null=True)),
                ('prices_include_tax', models.BooleanField()),
                ('net', models.DecimalField(decimal_places=2, max_digits=24)),
                ('tax', models.DecimalField(decimal_places=2, max_digits=24)),
                ('total', models.DecimalField(decimal_places=2, max_digits=24)),
                ('canonical', models.BinaryField()),
                ('previous_hash', models.BinaryField()),
                ('hash', models.BinaryField(unique=True)),
                ('corrects', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='credit_notes', to='billing.document')),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('issued_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='ItemTax',
            fields=[
                ('item', models.CharField(max_length=200, primary_key=True, serialize=False)),
                ('code', models.CharField(max_length=40)),
            ],
        ),
        migrations.CreateModel(
            name='Profile',
            fields=[
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('name', models.CharField(blank=True, max_length=200)),
                ('address', models.CharField(blank=True, max_length=500)),
                ('country', models.CharField(blank=True, max_length=2)),
                ('vat_id', models.CharField(blank=True, max_length=20)),
                ('vat_check', models.CharField(choices=[('valid', 'Valid'), ('invalid', 'Invalid'), ('unchecked', 'Unchecked')], default='unchecked', max_length=20)),
                ('vat_checked_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Party',
            fields=[
                ('document', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='party', serialize=False, to='billing.document')),
                ('account_id', models.BigIntegerField(db_index=True)),
                ('sealed', models.TextField()),
            ],
            options={
                'verbose_name_plural': 'parties',
            },
        ),
        migrations.CreateModel(
            name='Claim',
            fields=[
                ('purchase', models.UUIDField(primary_key=True, serialize=False)),
                ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='claims', to='billing.document')),
            ],
        ),
        migrations.CreateModel(
            name='Series',
            fields=[
                ('code', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('invoice', 'Invoice'), ('credit_note', 'Credit Note')], max_length=20)),
                ('year', models.PositiveSmallIntegerField()),
                ('generation', models.PositiveSmallIntegerField(default=0)),
                ('next_number', models.PositiveIntegerField(default=1)),
                ('last_hash', models.BinaryField(default=b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00')),
                ('last_issued_on', models.DateField(null=True)),
            ],
            options={
                'verbose_name_plural': 'series',
                'constraints': [models.UniqueConstraint(fields=('kind', 'year', 'generation'), name='billing_one_series')],
            },
        ),
        migrations.AddField(
            model_name='document',
            name='series',
            field=models.ForeignKey(db_column='series', on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='billing.series'),
        ),
        migrations.CreateModel(
            name='Tax',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('category', models.CharField(max_length=2)),
                ('rate', models.DecimalField(decimal_places=2, max_digits=5)),
                ('net', models.DecimalField(decimal_places=2, max_digits=24)),
                ('tax', models.DecimalField(decimal_places=2, max_digits=24)),
                ('document', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='taxes', to='billing.document')),
            ],
            options={
                'verbose_name_plural': 'taxes',
            },
        ),
        migrations.CreateModel(
            name='TaxRate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=40)),
                ('category', models.CharField(max_length=2)),
                ('rate', models.DecimalField(decimal_places=2, max_digits=5)),
                ('valid_from', models.DateField()),
                ('exemption', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['code', '-valid_from'],
                'constraints': [models.UniqueConstraint(fields=('code', 'valid_from'), name='billing_one_rate'), models.CheckConstraint(condition=models.Q(('rate__gte', 0), ('rate__lte', 100)), name='billing_rate_range')],
            },
        ),
        migrations.CreateModel(
            name='Balance',
            fields=[
                ('document', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='balance', serialize=False, to='billing.document')),
                ('status', models.CharField(choices=[('open', 'Open'), ('partially_paid', 'Partially Paid'), ('paid', 'Paid'), ('void', 'Void')], default='open', max_length=20)),
                ('currency', models.CharField(max_length=3)),
                ('due_on', models.DateField(null=True)),
                ('total', models.DecimalField(decimal_places=2, max_digits=24)),
                ('credited', models.DecimalField(decimal_places=2, default=0, max_digits=24)),
                ('paid', models.DecimalField(decimal_places=2, default=0, max_digits=24)),
                ('refunded', models.DecimalField(decimal_places=2, default=0, max_digits=24)),
                ('charged_back', models.DecimalField(decimal_places=2, default=0, max_digits=24)),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Draft',
            fields=[
                ('id', models.UUIDField(db_default=shop.core.ids.UUIDv7(), editable=False, primary_key=True, serialize=False)),
                ('currency', models.CharField(max_length=3)),
                ('request', models.JSONField(default=dict)),
                ('content', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['customer', 'id'], name='billing_drafts_by_customer')],
            },
        ),
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('id', models.UUIDField(db_default=shop.core.ids.UUIDv7(), editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('issued', 'Issued'), ('credited', 'Credited'), ('paid', 'Paid'), ('payment_reversed', 'Payment Reversed'), ('refunded', 'Refunded'), ('refund_reversed', 'Refund Reversed'), ('charged_back', 'Charged Back'), ('chargeback_reversed', 'Chargeback Reversed')], max_length=20)),
                ('source', models.UUIDField()),
                ('amount', models.DecimalField(decimal_places=2, max_digits=24)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='billing.document')),
            ],
            options={
                'verbose_name_plural': 'entries',
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('source', 'kind'), name='billing_one_entry'), models.CheckConstraint(condition=models.Q(('amount__gte', 0)), name='billing_entry_amount')],
            },
        ),
        migrations.CreateModel(
            name='Line',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('purchase', models.UUIDField(null=True)),
                ('text', models.CharField(blank=True, max_length=200)),
                ('quantity', models.PositiveIntegerField()),
                ('price', models.DecimalField(decimal_places=2, max_digits=24)),
                ('gross', models.DecimalField(decimal_places=2, max_digits=24)),
                ('discount', models.DecimalField(decimal_places=2, max_digits=24)),
                ('net', models.DecimalField(decimal_places=2, max_digits=24)),
                ('tax_category', models.CharField(max_length=2)),
                ('tax_rate', models.DecimalField(decimal_places=2, max_digits=5)),
                ('credits', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='credited_by', to='billing.line')),
                ('document', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='billing.document')),
            ],
            options={
                'ordering': ['document', 'position'],
                'indexes': [models.Index(condition=models.Q(('purchase__isnull', False)), fields=['purchase'], name='billing_lines_by_purchase')],
                'constraints': [models.UniqueConstraint(fields=('document', 'position'), name='billing_one_position'), models.CheckConstraint(condition=models.Q(('discount__gte', 0), ('gross__gte', 0), ('net__gte', 0), ('discount__lte', models.F('gross'))), name='billing_line_amounts')],
            },
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['kind', 'id'], name='billing_by_kind'),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['customer', 'kind', 'id'], name='billing_by_customer'),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['issued_on', 'id'], name='billing_by_day'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.UniqueConstraint(fields=('series', 'number'), name='billing_one_number'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.UniqueConstraint(fields=('series', 'number', 'hash'), name='billing_chain'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='billing_number'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.CheckConstraint(condition=models.Q(('net__gte', 0), ('tax__gte', 0), ('total', django.db.models.expressions.CombinedExpression(models.F('net'), '+', models.F('tax')))), name='billing_total'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('corrects__isnull', False), ('kind', 'credit_note')), models.Q(('corrects__isnull', True), ('kind', 'invoice')), _connector='OR'), name='billing_corrects'),
        ),
        migrations.AddConstraint(
            model_name='tax',
            constraint=models.UniqueConstraint(fields=('document', 'category', 'rate'), name='billing_one_tax'),
        ),
        migrations.AddConstraint(
            model_name='tax',
            constraint=models.CheckConstraint(condition=models.Q(('net__gte', 0), ('tax__gte', 0)), name='billing_tax_amounts'),
        ),
        migrations.AddIndex(
            model_name='balance',
            index=models.Index(fields=['status', 'document'], name='billing_balances_by_status'),
        ),
        migrations.AddIndex(
            model_name='balance',
            index=models.Index(fields=['customer', 'document'], name='billing_balances_of_customer'),
        ),
        migrations.AddConstraint(
            model_name='balance',
            constraint=models.CheckConstraint(condition=models.Q(('credited__gte', 0), ('credited__lte', models.F('total')), ('charged_back__gte', 0), ('paid__gte', 0), ('refunded__gte', 0)), name='billing_balance'),
        ),
        migrations.RunSQL(CHAIN, UNCHAIN),
        AppendOnly("Document"),
        AppendOnly("Line"),
        AppendOnly("Tax"),
        AppendOnly("Entry"),
    ]
