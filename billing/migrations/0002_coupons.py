import django.db.models.deletion
import django.db.models.functions.datetime
import shop.core.ids
from django.conf import settings
from django.db import migrations, models

from shop.core.append_only import AppendOnly


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Coupon',
            fields=[
                ('id', models.UUIDField(db_default=shop.core.ids.UUIDv7(), editable=False, primary_key=True, serialize=False)),
                ('code', models.CharField(max_length=40, unique=True)),
                ('percent', models.DecimalField(decimal_places=2, max_digits=5, null=True)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=18, null=True)),
                ('currency', models.CharField(blank=True, max_length=3)),
                ('starts_at', models.DateTimeField(null=True)),
                ('ends_at', models.DateTimeField(null=True)),
                ('max_redemptions', models.PositiveIntegerField(null=True)),
                ('max_per_customer', models.PositiveIntegerField(null=True)),
                ('minimum', models.DecimalField(decimal_places=2, max_digits=18, null=True)),
                ('items', models.JSONField(default=list)),
                ('active', models.BooleanField(default=True)),
                ('redeemed', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('customer', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='CouponCustomer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('redeemed', models.PositiveIntegerField()),
                ('coupon', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.coupon')),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Redemption',
            fields=[
                ('id', models.UUIDField(db_default=shop.core.ids.UUIDv7(), editable=False, primary_key=True, serialize=False)),
                ('purchase', models.UUIDField(null=True)),
                ('amount', models.DecimalField(decimal_places=2, max_digits=24)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('coupon', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='billing.coupon')),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('document', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='billing.document')),
                ('releases', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='released_by', to='billing.redemption')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddIndex(
            model_name='coupon',
            index=models.Index(fields=['created_at', 'id'], name='billing_coupons_by_time'),
        ),
        migrations.AddIndex(
            model_name='coupon',
            index=models.Index(condition=models.Q(('customer__isnull', False)), fields=['customer', 'created_at', 'id'], name='billing_coupons_by_customer'),
        ),
        migrations.AddConstraint(
            model_name='coupon',
            constraint=models.CheckConstraint(condition=models.Q(('code__regex', '^[A-Z0-9-]{3,40}$')), name='billing_coupon_code'),
        ),
        migrations.AddConstraint(
            model_name='coupon',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__isnull', True), ('percent__gt', 0), ('percent__lte', 100)), models.Q(('amount__gt', 0), ('percent__isnull', True), models.Q(('currency', ''), _negated=True)), _connector='OR'), name='billing_coupon_value'),
        ),
        migrations.AddConstraint(
            model_name='coupon',
            constraint=models.CheckConstraint(condition=models.Q(('max_redemptions__isnull', True), ('redeemed__lte', models.F('max_redemptions')), _connector='OR'), name='billing_coupon_limit'),
        ),
        migrations.AddConstraint(
            model_name='couponcustomer',
            constraint=models.UniqueConstraint(fields=('coupon', 'customer'), name='billing_one_coupon_customer'),
        ),
        migrations.AddConstraint(
            model_name='redemption',
            constraint=models.UniqueConstraint(condition=models.Q(('releases__isnull', True)), fields=('document', 'coupon'), name='billing_one_redemption'),
        ),
        migrations.AddConstraint(
            model_name='redemption',
            constraint=models.UniqueConstraint(condition=models.Q(('purchase__isnull', False)), fields=('purchase', 'coupon'), name='billing_one_purchase_redemption'),
        ),
        migrations.AddConstraint(
            model_name='redemption',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('document__isnull', False), ('purchase__isnull', True)), models.Q(('document__isnull', True), ('purchase__isnull', False)), _connector='OR'), name='billing_redemption_subject'),
        ),
        migrations.AddConstraint(
            model_name='redemption',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', 0)), name='billing_redemption_amount'),
        ),
        AppendOnly('Redemption'),
    ]
