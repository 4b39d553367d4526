#!/usr/bin/python3
"""A microcontroller behind a gateway, from the upload to the end: real pawld, broker and signer, a real gateway's agent, and the
bootloader and firmware for bare metal on QEMU's virt machine. Each story has a board of its own; they run side by side."""
import concurrent.futures
import hashlib
import subprocess
import time
import unittest

from common import LabTest, scenarios, wait_for
from lab import board
from lab.process import LabError
from lab.scenarios import check, ended

SIDE_BY_SIDE = 4
TRIAL = "boot: B6 trial of slot B"
POLL_S = 0.01
PART_BYTES = 64 << 10  # by so many a gateway finds out what the child's flash holds already
SHORT = "2.1.1"        # firmware 2.1.0, released with a short trial budget
LINK_WAIT_S = 3  # how long a child waits for its link, at most: a third of its trial budget
STORIES = {}


def story(tell):
    STORIES[tell.__name__] = tell
    return tell


def send(lab, device, **release):
    """A campaign for this board alone, with firmware 2.1.0; its id."""
    return lab.campaign(device.name, lab.release("2.1.0", board.CLASS, **release), [device])


def send_short(lab, device):
    return send(lab, device, version=SHORT, trial_budget_s=3 * LINK_WAIT_S)


def send_large(lab, device, version, image_bytes):
    """Firmware 2.1.0 with ballast: the line carries some 27 KB/s, so it takes a while to stage."""
    path = lab.folder / f"{version}.bin"
    path.write_bytes(lab.firmware("2.1.0", board.CLASS).read_bytes().ljust(image_bytes, b"\xa5"))
    return send(lab, device, version=version, image=path)


def wait_trial(device, count=1):
    wait_for(f"{device.name} to begin its trial; it printed last:\n{device.serial[-1500:]}",
             lambda: device.serial.count(TRIAL) >= count, 60, POLL_S)


def wait_staged(device, at, image_bytes):
    nor = device.board.nor

    def written(offset):
        return nor.read(nor.layout.slots["B"] + offset, 16) != b"\xff" * 16
    wait_for(f"{device.name} to stage {at} bytes of its image; the gateway said:\n{device.gateway_log[-1500:]}",
             lambda: written(at), 60, POLL_S)
    check(not written(image_bytes - 16), f"{device.name}: too fast to be cut: all is staged")


def check_resumed(device, at):
    """The last push went on there, or behind."""
    pushes = [line for line in device.gateway_log.splitlines() if "push: bytes=" in line]
    check(len(pushes) >= 2, f"{device.name}: the push was not taken up again: {pushes}")
    again_from = int(pushes[-1].rsplit("from=", 1)[1])
    check(again_from >= at, f"{device.name}: the push wrote what was there already: {pushes}")


def succeeds(lab, device, campaign, version="2.1.0"):
    ended(lab, campaign, device, "succeeded", "none")
    device.wait_confirmed(version)
    record = device.record()
    check((record["confirmed"], record["proven"], record["pending"]) == ("B", True, None), f"{device.name}: {record}")


def wait_offline(device):
    wait_for(f"{device.name} to be offline", lambda: not device.registered()["connected"], 30)


# --- the five kinds of firmware ---

@story
def good(lab, device):
    """The platform sees the child under its own identity, marked with its gateway."""
    first = device.registered()
    scenarios.good_update(lab, [device])
    shown = device.registered()
    check((shown["via"], shown["pins"]) == (board.GATEWAY, first["pins"]), f"{shown['via']}, {shown['pins']}")
    image = lab.firmware("2.1.0", board.CLASS).read_bytes()
    check(shown["running"][0]["image_digest"] == hashlib.sha256(image).hexdigest(), f"{shown['running']}")
    certificate = subprocess.run(["openssl", "x509", "-noout", "-subject", "-in", device.folder / "data" / "device.pem"],
                                 capture_output=True, text=True, check=True, timeout=20).stdout
    check(certificate.strip().endswith(f"CN = {device.name}"), certificate)
    listed = [d["id"] for d in lab.platform.cli_json("device", "list", "--via", board.GATEWAY)["items"]]
    check(device.name in listed, f"the gateway's devices are {listed}")
    check(lab.platform.items("/devices?via=gw-other") == [], "a gateway that there is not has devices")
    check(f"the gateway {board.GATEWAY}" in lab.platform.cli("device", "show", device.name), "`pawl device show` does not name the gateway")
    told = [e["text"] for e in lab.platform.events(device=device.name, kind="device.via")]
    check(told == [f"{device.name} speaks through the gateway {board.GATEWAY} now"], f"{told}")
    for test in ("peripheral:uart", "peripheral:flash", "memory:ram", "memory:image", "connectivity"):
        check(f"self-test {test}: pass" in device.serial, f"the self-test {test} was not passed")


@story
def self_test_fails(lab, device):
    scenarios.self_test_fails(lab, device)


@story
def hangs(lab, device):
    scenarios.firmware_hangs(lab, device)
    check(device.serial.count(TRIAL) == 3, f"{device.serial.count(TRIAL)} attempts instead of 3")


@story
def crashes(lab, device):
    scenarios.bad_firmware(lab, device, scenarios.silent, "2.2.2-crashes", "crash")
    check(device.serial.count(TRIAL) == 3, f"{device.serial.count(TRIAL)} attempts instead of 3")


@story
def never_confirms(lab, device):
    scenarios.bad_firmware(lab, device, scenarios.silent, "2.2.4-never-confirms", "trial budget spent", "peripheral:adc", trial_budget_s=5)


# --- what else happens ---

@story
def no_link(lab, device):
    """The gateway dies in the trial: the child finds no link, goes back by itself, and the next gateway reports it."""
    campaign = send_short(lab, device)
    wait_trial(device)
    device.kill_gateway()
    device.wait_serial("boot: rollback of trial 1: no link", 60)
    wait_offline(device)
    check(device.record()["owed"], "the child does not know that it owes a report")
    device.start_gateway()
    ended(lab, campaign, device, "rolled_back", "no link")
    device.wait_confirmed("1.0.0")
    wait_for("the debt to be settled", lambda: not device.record()["owed"], 20)


@story
def power_cut_in_staging(lab, device):
    """The first sector is not sent again; the second was not full."""
    cut_at = board.SECTOR_BYTES + PART_BYTES + 4096
    image_bytes = cut_at + (40 << 10)
    campaign = send_large(lab, device, "2.1.2", image_bytes)
    wait_staged(device, cut_at, image_bytes)
    device.cut_power()
    succeeds(lab, device, campaign, "2.1.2")
    check_resumed(device, board.SECTOR_BYTES)


@story
def power_cut_in_trial(lab, device):
    campaign = send(lab, device)
    wait_trial(device)
    device.cut_power()
    succeeds(lab, device, campaign)
    check("boot: B5 trial of slot B" in device.serial, "the bootloader did not take it for a power cut")


@story
def gateway_killed_in_push(lab, device):
    """The child ran on: what it has is not sent again."""
    cut_at = PART_BYTES + 4096
    image_bytes = cut_at + (40 << 10)
    campaign = send_large(lab, device, "2.1.3", image_bytes)
    wait_staged(device, cut_at, image_bytes)
    device.kill_gateway()
    wait_offline(device)
    device.start_gateway()
    succeeds(lab, device, campaign, "2.1.3")
    check_resumed(device, cut_at)


@story
def switched_off(lab, device):
    """Its gateway is well, so only the child's silence tells."""
    device.power_off()
    wait_offline(device)
    check(device.machine.running, "the gateway ended with its child")
    check(device.registered()["health"]["text"] == f"not connected; speaks through {board.GATEWAY}", f"{device.registered()['health']}")
    why = lab.platform.cli("why", device.name)
    check("is not connected" in why and f"the gateway {board.GATEWAY}" in why, why)
    device.board.power_on()
    wait_for(f"{device.name} to be back", lambda: device.registered()["connected"], 30)


def platform_down(lab, device):
    """No platform in the trial is not the firmware's fault: undecided until it is back."""
    campaign = send_short(lab, device)
    wait_trial(device)
    lab.platform.kill()
    try:
        device.wait_serial("self-test connectivity: no platform answers: waits", 60)
        starts, end = device.serial.count("boot: pawl"), time.monotonic() + LINK_WAIT_S + 1
        wait_for("longer than a child waits for its link", lambda: time.monotonic() > end, 60)
        check(device.serial.count("boot: pawl") == starts and device.record()["pending"] == "B", "the child gave up")
    finally:
        lab.platform.start()
    succeeds(lab, device, campaign, SHORT)


class Serial(LabTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pool = concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE)
        # The longest stand last, and begin first.
        cls.told = {name: cls.pool.submit(cls.tell, name, tell) for name, tell in reversed(STORIES.items())}

    @classmethod
    def make_classes(cls):
        cls.lab.make_class(board.CLASS, **board.CLASS_OPTIONS)
        cls.lab.factory_release("1.0.0", board.CLASS)

    @classmethod
    def tearDownClass(cls):
        if hasattr(cls, "pool"):
            cls.pool.shutdown(cancel_futures=True)
        super().tearDownClass()

    @classmethod
    def tell(cls, name, tell):
        device = cls.lab.add_board(name.replace("_", "-"))
        try:
            device.wait_confirmed("1.0.0")
            tell(cls.lab, device)
        except LabError as error:
            raise LabError(f"{error}\n--- the child printed last:\n{device.serial[-2500:]}\n--- the gateway:\n{device.gateway_log[-2500:]}") from None
        finally:
            device.kill()

    def test_good_firmware_ends_confirmed_and_succeeded(self):
        self.told["good"].result()

    def test_a_failing_self_test_rolls_back_and_is_named(self):
        self.told["self_test_fails"].result()

    def test_a_hang_ends_by_the_watchdog_and_is_reported(self):
        self.told["hangs"].result()

    def test_a_crash_in_the_first_instruction_rolls_back_and_is_reported(self):
        self.told["crashes"].result()

    def test_firmware_that_never_confirms_rolls_back_and_is_reported(self):
        self.told["never_confirms"].result()

    def test_without_its_gateway_the_child_rolls_back_and_the_next_gateway_reports_it(self):
        self.told["no_link"].result()

    def test_a_power_cut_while_the_image_is_staged_goes_on_where_it_was(self):
        self.told["power_cut_in_staging"].result()

    def test_a_power_cut_in_the_trial_costs_no_attempt(self):
        self.told["power_cut_in_trial"].result()

    def test_a_gateway_killed_in_the_push_goes_on_where_it_was(self):
        self.told["gateway_killed_in_push"].result()

    def test_a_child_that_is_switched_off_is_offline(self):
        self.told["switched_off"].result()

    def test_while_the_platform_is_down_the_trial_is_undecided(self):
        concurrent.futures.wait(self.told.values())  # it takes the platform away from all
        self.pool.submit(self.tell, "platform_down", platform_down).result()


if __name__ == "__main__":
    unittest.main(verbosity=2)
