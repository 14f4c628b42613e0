"""The access to operating figures."""

from tests.access import NO_METHOD, Access, api

# Those who may read everybody's figures.
MAY = dict.fromkeys(("finance", "analyst", "operator", "auditor", "admin"), 200)
READ = {"GET": api(403, **MAY), "POST": NO_METHOD}

ACCESS = Access(api={"api/v1/operations/instances/": READ})
