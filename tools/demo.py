#!/usr/bin/python3
"""Plays pawl's stories on a real platform with virtual devices, then stays up for trying things by hand."""
import argparse
import os
import pathlib
import shutil
import signal
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lab import scenarios  # noqa: E402
from lab.lab import Lab  # noqa: E402
from lab.process import LabError  # noqa: E402

STORY = [
    ("a good update, 1.0.0 to 2.1.0, on every device", lambda lab, d, say: scenarios.good_update(lab, d, say)),
    ("the artifact is altered in the store", lambda lab, d, say: scenarios.altered_artifact(lab, d[0], say)),
    ("a manifest signed by another key", lambda lab, d, say: scenarios.foreign_signature(lab, d[1], say)),
    ("firmware for another hardware class", lambda lab, d, say: scenarios.wrong_class(lab, d[2], say)),
    ("firmware whose self-test fails", lambda lab, d, say: scenarios.self_test_fails(lab, d[0], say)),
    ("firmware that hangs", lambda lab, d, say: scenarios.firmware_hangs(lab, d[1], say)),
    ("firmware that breaks its own network", lambda lab, d, say: scenarios.network_broken(lab, d[2], say)),
    ("a power cut in the middle of the download", lambda lab, d, say: scenarios.power_cut_in_download(lab, d[4], say, "3.0.0")),
    ("a device that the operator suspends", lambda lab, d, say: scenarios.suspended_device(lab, d[5], say, "3.0.0")),
]
WIDTH = 11


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def say(who, text):
    print(f"  {paint('36', who.ljust(WIDTH))} {text}", flush=True)


def prepare(folder, build):
    lab = Lab(folder, build, ports=(8443, 8444, 8883) if ports_free((8443, 8444, 8883)) else None)
    say("platform", "starts with its embedded defaults: SQLite, a directory, Mosquitto, SoftHSM")
    lab.start()
    say("HSM", "made the image key and the director key; they cannot leave it")
    lab.make_class()
    say("operator", "described the hardware class virtual-1")
    devices = []
    for number in range(1, 7):
        # The fifth has a slow link, so that its power can fail in the middle of a download.
        slow = {"download_rate_max": 1 << 19} if number == 5 else {}
        devices.append(lab.add_device(f"dev-{number:04d}", **slow))
    for device in devices:
        device.wait_confirmed("1.0.0")
    say("devices", f"{devices[0].name} to {devices[-1].name} are enrolled, run 1.0.0, confirmed")
    return lab, devices


def ports_free(ports):
    import socket
    for port in ports:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def play(lab, devices):
    passed = failed = 0
    for number, (title, scenario) in enumerate(STORY, 1):
        print(f"\n{paint('1', f'({number}) {title}')}", flush=True)
        started = time.monotonic()
        try:
            scenario(lab, devices, say)
        except Exception as problem:  # a failed scenario is told, and the story goes on
            failed += 1
            print(f"  {paint('31', 'FAILED')}: {problem}", flush=True)
            if not isinstance(problem, LabError):
                traceback.print_exc()
        else:
            passed += 1
            print(f"  {paint('32', 'passed')} in {time.monotonic() - started:.1f} s", flush=True)
    return passed, failed


def invite(lab):
    pawl = lab.platform.bin / "pawl"
    try:
        pawl = pawl.relative_to(pathlib.Path.cwd())
    except ValueError:
        pass
    print(f"""
The platform stays up at {lab.platform.url} with its devices. In another terminal, try:

  export PAWL_CONFIG={lab.platform.cli_config}
  {pawl} device list
  {pawl} why dev-0002
  {pawl} campaign list
  {pawl} release create --class virtual-1 --version 3.1.0 {lab.build / 'firmware' / 'pawl-firmware-3.0.0'} --wait
  {pawl} campaign create --name mine --release ID --all --watch
  {pawl} events -f
  tail -f {lab.folder / 'devices' / 'dev-0001' / 'serial.log'}

Ctrl-C ends it.""", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="end when the story ends")
    parser.add_argument("--data", default="demo-data", help="folder for platform and devices, emptied first (default: ./demo-data)")
    parser.add_argument("--build", default="build/demo", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = pathlib.Path(options.data).resolve()
    if folder.exists():
        if not (folder / ".pawl-demo").exists() and any(folder.iterdir()):
            sys.exit(f"demo: {folder} is not a folder of the demo's: it would be emptied. Choose another with --data.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / ".pawl-demo").touch()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lab = None
    try:
        print(paint("1", "(0) a platform and six virtual devices"), flush=True)
        try:
            lab, devices = prepare(folder, pathlib.Path(options.build).resolve())
        except LabError as problem:
            print(f"  {paint('31', 'FAILED')}: {problem}", flush=True)
            print(f"\ndemo: 0 scenarios passed, {len(STORY)} failed", flush=True)
            return 1
        passed, failed = play(lab, devices)
        print(f"\ndemo: {passed} scenarios passed, {failed} failed", flush=True)
        if not options.exit:
            invite(lab)
            try:
                while True:
                    signal.pause()
            except KeyboardInterrupt:
                print()
        return 0 if failed == 0 else 1
    except KeyboardInterrupt:
        return 130
    finally:
        if lab:
            lab.close()


if __name__ == "__main__":
    sys.exit(main())
