"""What the table of the stream holds: nothing about anybody."""

from shop.core.columns import nobody

TABLES = (nobody("stream_streamcursor", "name position moved_at holder held_at"),)
