"""Reading the audit, and what accounts record in it."""
