"""What nobody should send, sent over real sockets to the running site.

The answer is always a clear refusal: never a 500, never HTML below ``/api/``, never a request that
hangs, and never memory that grows.
"""
