"""What this app's own tables hold."""

from shop.core.columns import nobody

TABLES = (nobody("preferences_change", "id version name value changed_at changed_by_id"),)
