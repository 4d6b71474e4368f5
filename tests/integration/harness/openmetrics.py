"""A strict reader of OpenMetrics 1.0 text, as far as the broker writes it."""

import re

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
_SUFFIX = {"gauge": "", "counter": "_total", "info": "_info"}


def _labels(text):
    """{name: value} of what stands between the braces; every character has to be accounted for."""
    found, at = {}, 0
    while at < len(text):
        match = _LABEL.match(text, at)
        assert match, f"labels: {text!r}"
        assert match[1] not in found, f"a label twice: {text!r}"
        found[match[1]] = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), match[2])
        at = match.end()
        if at < len(text):
            assert text[at] == "," and at + 1 < len(text), f"labels: {text!r}"
            at += 1
    return found


class Metrics:
    """`families`: name → type. metrics["name", label=value] is a sample's value."""

    def __init__(self, text):
        assert text.endswith("# EOF\n") and text.count("# EOF") == 1 and "\r" not in text
        self.families, self.samples, self._helped = {}, {}, set()
        current = None
        for line in text.splitlines()[:-1]:
            assert line and line == line.strip(), repr(line)
            if line.startswith("#"):
                current = self._descriptor(line, current)
            else:
                self._sample(line, current)

    def _descriptor(self, line, current):
        mark, word, name, rest = line.split(" ", 3)
        assert mark == "#" and word in ("TYPE", "HELP") and _NAME.match(name), line
        if word == "HELP":
            assert name == current and name not in self._helped and rest, line
            self._helped.add(name)
            return name
        assert rest in _SUFFIX and name not in self.families, line
        assert not name.endswith(("_total", "_info")), line
        self.families[name] = rest
        return name

    def _sample(self, line, current):
        match = re.fullmatch(r"([a-zA-Z0-9_:]+)(?:\{(.*)\})? (\d+)", line)
        assert match and current in self._helped, line
        assert match[1] == current + _SUFFIX[self.families[current]], line
        key = (match[1], frozenset(_labels(match[2] or "").items()))
        assert key not in self.samples, f"twice: {line}"
        self.samples[key] = int(match[3])

    def value(self, name, **labels):
        return self.samples["tokenbroker_" + name, frozenset(labels.items())]
