"""HTTPS sessions that trust the run's own authority and nothing of this machine's environment."""

import requests


def session(ca_file, auth=None):
    """A requests session for the peers. The environment is ignored: REQUESTS_CA_BUNDLE would win over the session's own
    authority, and a proxy has no business between two loopback ports."""
    made = requests.Session()
    made.trust_env = False
    made.verify, made.auth = str(ca_file), auth
    return made
