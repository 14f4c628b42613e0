"""API keys, and the table that they share with tokens of sign-ins and grants of JWTs."""
