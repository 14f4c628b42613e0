"""What this app's own tables hold."""

TABLES = ()
