"""What every app may use; it knows no app, and no table of one."""
