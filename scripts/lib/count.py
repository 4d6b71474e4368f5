"""Prints "PASSED FAILED" of a run: Meson's testlog.json (a JSON object a line) or a JUnit XML file."""

import json
import sys
import xml.etree.ElementTree as ElementTree


def meson(path):
    results = [json.loads(line)["result"] for line in open(path, encoding="utf-8")]
    good = sum(result in ("OK", "EXPECTEDFAIL") for result in results)
    skipped = results.count("SKIP")
    return good, len(results) - good - skipped


def junit(path):
    suites = ElementTree.parse(path).getroot().iter("testsuite")
    total = bad = skipped = 0
    for suite in suites:
        total += int(suite.get("tests"))
        bad += int(suite.get("failures")) + int(suite.get("errors"))
        skipped += int(suite.get("skipped"))
    return total - bad - skipped, bad


kind, path = sys.argv[1:]
try:
    passed, failed = {"meson": meson, "junit": junit}[kind](path)
except (OSError, ElementTree.ParseError, ValueError) as error:
    print("no result in %s: %s" % (path, error), file=sys.stderr)
    passed, failed = 0, 1
if passed + failed == 0:
    failed = 1  # a run that tested nothing has failed
print(passed, failed)
