from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0007_runs'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='coupon',
            options={'ordering': ['-created_at', '-id']},
        ),
        migrations.RemoveIndex(
            model_name='coupon',
            name='billing_coupons_of_customer',
        ),
        migrations.AddIndex(
            model_name='coupon',
            index=models.Index(fields=['created_at', 'id'], name='billing_coupons_by_time'),
        ),
        migrations.AddIndex(
            model_name='coupon',
            index=models.Index(condition=models.Q(('customer__isnull', False)), fields=['customer', 'created_at', 'id'], name='billing_coupons_by_customer'),
        ),
    ]
