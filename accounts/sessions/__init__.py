"""Browser sessions: which there are, how young their sign-in is, and how they end."""
