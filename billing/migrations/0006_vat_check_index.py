from django.db import migrations, models

from shop.core.locking import AddIndexConcurrently


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('billing', '0005_vat_check'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='profile',
            index=models.Index(condition=models.Q(('vat_next_check_at__isnull', False)), fields=['vat_next_check_at'], name='billing_vat_ids_to_check'),
        ),
    ]
