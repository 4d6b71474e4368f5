"""What a test may order while the server runs: POST /_control {"op": …}."""

from . import clock


def _configure(server, order):
    server.authority.configure(**order["changes"])
    return {}


def _fault(server, order):
    wanted = ("endpoint", "mode", "seconds", "times", "users")
    server.faults.order(**{key: order[key] for key in wanted if key in order})
    return {}


def _clear(server, _order):
    server.faults.clear()
    return {}


def _seed(server, order):
    return {"refresh_tokens": {user: server.authority.seed(user) for user in order["users"]}}


def _revoke(server, order):
    return {"revoked": server.authority.revoke_grants(order["user"])}


def _static(server, order):
    server.authority.add_static(order["token"])
    return {}


def _secrets(server, _order):
    return {"secrets": server.authority.secrets()}


def _skip(_server, order):
    clock.skip(order["seconds"])
    return {}


def _ledger(server, order):
    return {"lines": server.ledger.after(order["after"], order["wait"])}


_OPERATIONS = {
    "configure": _configure,
    "fault": _fault,
    "clear": _clear,
    "seed": _seed,
    "revoke": _revoke,
    "static": _static,
    "secrets": _secrets,
    "skip": _skip,
    "ledger": _ledger,
}


def obey(server, order):
    """Carries an order out; returns the reply's members."""
    return _OPERATIONS[order["op"]](server, order)
