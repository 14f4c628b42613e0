from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0003_payments'),
    ]
    safe_because = {0: "No released version has the table."}

    operations = [
        migrations.DeleteModel('ItemTax'),
        migrations.CreateModel(
            name='ItemTax',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('item', models.CharField(max_length=200, unique=True)),
                ('code', models.CharField(max_length=40)),
            ],
        ),
    ]
