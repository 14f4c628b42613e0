"""What an attacker tries first: from a browser, at the sign-in, and in texts."""
