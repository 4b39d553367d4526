#!/usr/bin/python3
"""Holds every #include against the folder table of docs/architecture.md: who may include whom.

Usage: tools/check_includes.py            exits 1 and names each line that breaks the table
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Folder -> folders it may include, besides itself. The longest folder that a file lies in counts.
# Mirrors the table in docs/architecture.md.
BOOT_CORE = {"base", "trust/manifest", "trust/verify", "trust/crypto", "slots"}
AGENT_CORE = {"base", "trust/manifest", "trust/verify", "wire", "slots"}
PLATFORM_CORE = {"base", "trust/manifest", "wire"}
AGENT_IO = AGENT_CORE | {"base/hosted", "agent/core", "wire/json", "wire/serial", "slots/file", "trust/crypto"}
PLATFORM_IO = PLATFORM_CORE | {"base/hosted", "platform/core", "platform/io", "trust/verify", "trust/crypto", "trust/sign/client", "wire/json", "broker"}
ALLOWED = {
    "base": set(),
    "base/hosted": {"base"},
    "trust/manifest": {"base"},
    "trust/crypto": {"base"},
    "trust/verify": {"base", "trust/manifest", "trust/crypto"},
    "trust/sign": {"base", "base/hosted", "trust/manifest", "trust/crypto", "trust/verify"},
    "slots": {"base", "trust/manifest"},
    "slots/file": {"base", "base/hosted", "slots"},
    "wire": {"base", "trust/manifest"},
    "wire/json": {"base", "wire", "trust/manifest"},
    "wire/serial": {"base"},
    "boot/core": BOOT_CORE,
    "boot/port": BOOT_CORE | {"base/hosted", "boot/core", "slots/file"},
    "boot/main": BOOT_CORE | {"base/hosted", "boot/core", "boot/port", "slots/file", "trust/sign/names"},
    "agent/core": AGENT_CORE,
    "agent/io": AGENT_IO,
    "agent/main": AGENT_IO | {"agent/io"},
    "platform/core": PLATFORM_CORE,
    "platform/io": PLATFORM_IO,
    "platform/main": PLATFORM_IO,
    "broker": {"base", "base/hosted", "wire"},
    "signer": {"base", "base/hosted", "trust/manifest", "trust/crypto", "trust/verify", "trust/sign"},
    "cli": {"base"},
    "firmware": AGENT_IO | {"agent/io", "slots/file"},
    "firmware/bare": BOOT_CORE | {"boot/core", "boot/port", "wire/serial"},
    "firmware/bare/host": BOOT_CORE | {"boot/core", "wire/serial", "firmware/bare"},
    "bench": None,  # anything
    "tests": None,
}
# Third-party headers stay out of the cores and of the freestanding parts.
PURE = ("base", "trust/manifest", "trust/verify", "slots", "wire", "wire/serial", "boot/core", "agent/core", "platform/core")
STANDARD_IN_PURE = set(
    "algorithm array bit charconv chrono compare concepts cstddef cstdint cstring expected functional initializer_list "
    "iterator limits map numeric optional set span string string_view tuple type_traits utility variant vector".split())
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def folder_of(path, folders):
    parts = pathlib.PurePosixPath(path).parts
    for length in range(len(parts), 0, -1):
        name = "/".join(parts[:length])
        if name in folders:
            return name
        if length == len(parts) and (ROOT / name).is_file():
            stem = str(pathlib.PurePosixPath(name).with_suffix(""))
            if stem in folders:
                return stem
    return None


def is_test(path):
    stem = path.stem
    return stem.endswith(("_test", "_fuzz")) or stem.startswith("fake_") or "_test_" in stem or stem.startswith("test_")


def main():
    named = {entry for allowed in ALLOWED.values() if allowed for entry in allowed}
    folders = set(ALLOWED) | named
    problems = []
    count = 0
    for path in sorted(ROOT.glob("**/*")):
        relative = path.relative_to(ROOT)
        if path.suffix not in (".h", ".cc", ".c") or relative.parts[0] in ("build", ".git", "demo-data"):
            continue
        owner = folder_of(str(relative.parent), set(ALLOWED))
        if owner is None:
            problems.append(f"{relative}: its folder is not in the table")
            continue
        allowed = ALLOWED[owner]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            count += 1
            own, system = match.groups()
            if system:
                pure = owner in PURE
                if pure and not is_test(path) and system not in STANDARD_IN_PURE:
                    problems.append(f"{relative}:{number}: <{system}> in a pure part")
                continue
            if is_test(path) or allowed is None or own == "base/version.h":
                continue
            target = folder_of(own, folders)
            if target is None:
                problems.append(f"{relative}:{number}: \"{own}\" is not written from the root, or its folder is not in the table")
            elif not any(target == a or target.startswith(a + "/") for a in allowed | {owner}) :
                problems.append(f"{relative}:{number}: {owner} may not include {target} (\"{own}\")")
            elif target != owner and target in ALLOWED and target not in allowed and not target.startswith(owner + "/"):
                problems.append(f"{relative}:{number}: {owner} may not include {target} (\"{own}\")")
    for problem in problems:
        print(problem)
    print(f"check_includes: {count} includes, {len(problems)} against the table")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
