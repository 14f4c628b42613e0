from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0004_itemtax_id'),
    ]
    safe_because = {1: "No released version has the table."}

    operations = [
        migrations.AddField(
            model_name='profile',
            name='vat_check_until',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='profile',
            name='vat_next_check_at',
            field=models.DateTimeField(null=True),
        ),
    ]
