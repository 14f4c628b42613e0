"""An app that declares types of events and a follower, for tests; no site has it."""
