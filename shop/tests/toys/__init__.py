"""An app as a stranger could write it. ``test_apps.py`` copies it elsewhere and installs it."""
