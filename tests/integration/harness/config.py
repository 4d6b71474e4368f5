"""Writes the broker's configuration file."""

import os


def _quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(value):
    if isinstance(value, (list, tuple)):
        return "{" + ", ".join(map(_quoted, value)) + "}"
    return _quoted(value)


def _section(head, keys):
    lines = [f"    {name} = {_value(value)}" for name, value in keys.items() if value is not None]
    return "\n".join([head + " {", *lines, "}", ""])


class Config:
    """Sections as dicts; write() makes the file. `extra` is appended as it is."""

    def __init__(self, path):
        self.path = path
        self.broker, self.callback = {}, {}
        self.providers, self.access, self.consumers = {}, {}, {}
        self.extra = ""
        self.mode = 0o600

    def text(self):
        parts = [_section("broker", self.broker)] if self.broker else []
        if self.callback:
            parts.append(_section("callback", self.callback))
        parts += [_section(f"provider {name}", keys) for name, keys in self.providers.items()]
        parts += [_section(f"access {name}", keys) for name, keys in self.access.items()]
        parts += [_section(f"consumer {name}", keys) for name, keys in self.consumers.items()]
        return "\n".join(parts) + self.extra

    def write(self):
        self.path.write_text(self.text(), encoding="utf-8")
        os.chmod(self.path, self.mode)
