#!/usr/bin/python3
"""Writes docs/spec/reasons.md from base/reasons.def.

Usage: tools/reasons.py            writes the page
       tools/reasons.py --check    exits 1 if the page is not what the table says
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "spec" / "reasons.md"
ENTRY = re.compile(r'^PAWL_REASON\((\d+), (\w+), "([^"]*)", "([^"]*)", "([^"]*)"\)$')


def page():
    lines = ["# Reason codes", "",
             "Made from `base/reasons.def` by `tools/reasons.py`. Numbers travel between device, platform and API; they are",
             "given by hand and never reused.", "", "| code | reason | what it means | what to do |", "|---|---|---|---|"]
    for number, line in enumerate((ROOT / "base" / "reasons.def").read_text().splitlines(), 1):
        if not line.startswith("PAWL_REASON"):
            continue
        match = ENTRY.match(line)
        if not match:
            sys.exit(f"base/reasons.def:{number}: not of the form PAWL_REASON(number, kName, \"text\", \"meaning\", \"remedy\")")
        code, _, text, meaning, remedy = match.groups()
        lines.append(f"| {code} | {text} | {meaning} | {remedy} |")
    return "\n".join(lines) + "\n"


def main():
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text() != page():
            print("docs/spec/reasons.md is not what base/reasons.def says: run tools/reasons.py")
            return 1
        print("docs/spec/reasons.md is what base/reasons.def says")
        return 0
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
