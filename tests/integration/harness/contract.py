"""Was every documented path and status seen? Asked once, after the last test of a whole run."""

import os

# What no test brings about, and why.
UNSEEN = {
    "429": "on most routes only with more requests of one uid than a machine here can send; the same "
           "code answers all",
    "500": "memory would have to run out",
    "503": "on most routes only with thousands of requests at once; the same code answers all",
    "504": "on most routes only while the store hangs for a minute; the same code answers all",
    "post /v1/login/{provider}/{label} 502": "discovery would have to be refused",
    "post /v1/retry 404": "shares its description with the routes below it",
}


def _excused(method, path, status):
    return status in UNSEEN or f"{method} {path} {status}" in UNSEEN


def is_whole_run(config):
    """False when the run was narrowed by names, marks or files, or by who it is run by: some
    refusals are seen only where a test can be another user."""
    named = any("::" in arg or arg.endswith(".py") for arg in config.args)
    narrowed = named or config.getoption("keyword") or config.getoption("markexpr")
    return os.geteuid() == 0 and not narrowed and not config.getoption("collectonly")


def check(schema):
    """One line for each gap."""
    missing = {one for one in schema.documented() - schema.seen() if not _excused(*one)}
    return [f"never seen: {method.upper()} {path} {status}"
            for method, path, status in sorted(missing)]
