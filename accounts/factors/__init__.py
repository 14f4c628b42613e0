"""Second factors: authenticator apps, passkeys and recovery codes, and where they are asked for."""
