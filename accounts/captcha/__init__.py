"""Captchas: a sum that a browser does, which makes many sign-ups dear."""
