from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('operations', '0002_figures'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='totals',
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
    ]
