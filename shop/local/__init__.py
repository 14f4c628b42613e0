"""What `make run` needs: embedded PostgreSQL and Valkey, and a supervisor."""
