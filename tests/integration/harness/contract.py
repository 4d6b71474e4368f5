"""Was every documented path and status seen? Asked once, after the last test of a whole run."""

# What no test brings about, and why.
UNSEEN = {
    "500": "memory would have to run out",
}


def is_whole_run(config):
    """False when the run was narrowed by names, files or last failures."""
    narrowed = config.getoption("keyword") or any("::" in arg or arg.endswith(".py")
                                                  for arg in config.args)
    return not narrowed and not config.getoption("collectonly")


def check(schema):
    """One line for each gap."""
    missing = {one for one in schema.documented() - schema.seen() if one[2] not in UNSEEN}
    return [f"never seen: {method.upper()} {path} {status}"
            for method, path, status in sorted(missing)]
