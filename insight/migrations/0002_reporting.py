"""Views for programs that draw figures: stable columns, no names of people, no secrets."""

from django.db import migrations

_VERSION = """
    version = (SELECT version FROM events_followercursor WHERE name = 'insight.statistics')
"""
VIEWS = {
    "purchases": """
        SELECT id AS purchase_id, customer_id, item, quantity, price, currency,
               price * quantity AS total, "timestamp" AS purchased_at, received_at AS recorded_at
        FROM purchases_purchase""",
    "sales_by_quarter_hour": f"""
        SELECT slot AS starts_at, currency, purchases, quantity, revenue
        FROM insight_slot WHERE {_VERSION}""",
    "sales_by_day": f"""
        SELECT (slot AT TIME ZONE 'UTC')::date AS day, currency, sum(purchases)::bigint AS purchases,
               sum(quantity)::bigint AS quantity, sum(revenue) AS revenue
        FROM insight_slot WHERE {_VERSION} GROUP BY 1, 2""",
    "sales_by_item_and_day": f"""
        SELECT day, item, currency, purchases, quantity, revenue
        FROM insight_item_day WHERE {_VERSION}""",
    "sales_by_customer_and_day": f"""
        SELECT day, customer_id, currency, purchases, quantity, revenue
        FROM insight_customer_day WHERE {_VERSION}""",
    "customers": f"""
        SELECT customer_id, currency, first_at AS first_purchase_at, last_at AS last_purchase_at,
               purchases, quantity, revenue
        FROM insight_customer WHERE {_VERSION}""",
}


class Migration(migrations.Migration):
    dependencies = [
        ("insight", "0001_initial"),
        ("events", "0004_follower_versions"),
        ("purchases", "0011_by_recorder"),
    ]
    safe_because = {0: "It makes a schema and views, and reads and locks no table but for a moment."}
    operations = [
        migrations.RunSQL(
            [
                "CREATE SCHEMA IF NOT EXISTS reporting",
                *(f"CREATE VIEW reporting.{name} AS {query}" for name, query in VIEWS.items()),
            ],
            [f"DROP VIEW reporting.{name}" for name in VIEWS],
        )
    ]
