"""An app that a stranger could have made. ``test_apps.py`` copies it elsewhere and installs it."""
