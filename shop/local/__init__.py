"""What ``make run`` needs: an embedded PostgreSQL and Valkey, and a supervisor.

Nothing here knows Django, and nothing outside this package is imported: ``processes`` is below
``server``, ``postgres``, ``valkey`` and ``pair``; ``console``, ``child`` and ``procfile`` are below
``supervisor``. ``embedded`` and ``supervisor`` are programs.
"""
