"""Sign-ins of programs by short-lived JWTs and refresh tokens.

A sign-in is a *grant*: a row of ``accounts.Token`` of the kind ``JWT``. Its id, the ``gid``, is in
every access token and stored as a digest. So a grant that has ended is refused at the next request,
by the same look-up as any other token's.
"""
