"""The stories of pawl, each played on real parts and checked: by ./demo, and by the end-to-end tests.

Every scenario takes the lab, one device or more, and `say(who, text)`. It raises LabError when something is not as it
must be. A pass means three things: the running slot is right and nothing unverified is marked pending; the device's
report names the reason; the platform shows it.
"""
import subprocess

from .process import LabError, wait_for

ENDED = ("succeeded", "rolled_back", "refused", "cancelled", "lost")


def check(condition, text):
    if not condition:
        raise LabError(text)


def silent(_who, _text):
    pass


def running_version(device):
    running = device.registered()["running"]
    return running[0]["version"] if running else None


def slots_untouched(device, before):
    """The running slot is the one before, and nothing is pending."""
    now = device.record()
    check(now["confirmed"] == before["state"]["confirmed"], f"{device.name}: the confirmed slot changed: {now}")
    check(now["pending"] is None, f"{device.name}: slot {now['pending']} is still marked pending")


def ended(lab, campaign, device, state, reason, deadline_s=90):
    """Waits for the device's job to end; checks state and reason; the job."""
    job = lab.platform.wait_jobs(campaign, ENDED, deadline_s)[0]
    told = (job["reason"] or {}).get("text", "none")
    check(job["state"] == state and told.startswith(reason),
          f"{device.name}: the job ended {job['state']} ({job['reason']}), expected {state} ({reason})\n{device.serial[-2000:]}")
    return job


def good_update(lab, devices, say=silent, firmware="2.1.0"):
    """(1) A good update: every device ends confirmed on the new version."""
    release = lab.release(firmware, devices[0].device_class)
    say("operator", f"uploads firmware {firmware}; the release is {release['id']}")
    say("HSM", f"signed manifest {release['manifest_digest'][:16]}…, sequence number {release['sequence']}")
    campaign = lab.campaign(f"good-{firmware}", release, devices)
    say("operator", f"starts campaign {campaign} over {len(devices)} device(s)")
    jobs = lab.platform.wait_jobs(campaign, ENDED, 60 + 10 * len(devices))
    for job in jobs:
        check(job["state"] == "succeeded", f"{job['device']}: {job['state']} {job['reason']}")
    for device in devices:
        device.wait_confirmed(firmware)
        status = device.record()
        check(status["proven"] and status["pending"] is None, f"{device.name}: {status}")
        say(device.name, f"runs {firmware} from slot {status['confirmed']}, confirmed by its own self-tests")
    return campaign


def altered_artifact(lab, device, say=silent, firmware="3.0.0"):
    """(2) The artifact is altered in the store: refused at the first bad chunk, after its retries."""
    before = device.status()
    release = lab.release(firmware, version="3.0.1")
    path = lab.artifact_path(release["artifact"])
    genuine = path.read_bytes()
    bad = bytearray(genuine)
    bad[3 * 65536 + 17] ^= 1
    say("attacker", "flips one bit of the stored artifact, in its fourth chunk")
    replace(path, bytes(bad))
    try:
        campaign = lab.campaign("altered-artifact", release, [device])
        job = ended(lab, campaign, device, "refused", "chunk digest")
    finally:
        replace(path, genuine)
    slots_untouched(device, before)
    check("chunk 3" in (job["reason"]["detail"] or ""), f"the report does not name the chunk: {job['reason']}")
    say(device.name, f"reports refused: {job['reason']['text']}: {job['reason']['detail']}; slot {before['state']['confirmed']} runs on")
    return campaign


def replace(path, content):
    mode = path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(content)
    path.chmod(mode & 0o777)


def forge(lab, out, **options):
    """An envelope signed by a key of the attacker's."""
    flat = [x for key, value in options.items() for x in (f"--{key.replace('_', '-')}", str(value))]
    done = subprocess.run([str(lab.platform.bin / "pawl-forge"), "manifest", *flat, "--vendor", lab.vendor, "--out", str(out)],
                          capture_output=True, text=True, timeout=60, check=False)
    check(done.returncode == 0, f"pawl-forge: {done.stderr}")
    return out.read_bytes()


def swap_envelope(lab, release, envelope):
    """What somebody who owns the platform's database could do: past the gate that verifies before publishing."""
    lab.tamper("UPDATE releases SET envelope = ? WHERE id = ?", envelope, release["id"])


def nothing_downloaded(job, device):
    states = [step["state"] for step in job["steps"]]
    check("downloading" not in states, f"{device.name} downloaded before it refused: {states}")


def foreign_signature(lab, device, say=silent, firmware="3.0.0"):
    """(3) A manifest signed by another key: refused, nothing downloaded."""
    before = device.status()
    release = lab.release(firmware, version="3.0.2")
    envelope = forge(lab, lab.folder / "foreign.envelope", key_seed="the attacker's key", kid=release["kids"][0],
                     image=lab.firmware(firmware), **{"class": "virtual-1"}, sequence=release["sequence"], version="3.0.2",
                     security_version=0, trial_budget=30)
    say("attacker", "owns the platform's database: puts a manifest signed by a key of his own into the release")
    swap_envelope(lab, release, envelope)
    campaign = lab.campaign("foreign-signature", release, [device])
    job = ended(lab, campaign, device, "refused", "invalid signature")
    nothing_downloaded(job, device)
    slots_untouched(device, before)
    say(device.name, f"reports failed: {job['reason']['text']}; nothing was downloaded")
    return campaign


def wrong_class(lab, device, say=silent, firmware="3.0.0"):
    """(4) Firmware for another hardware class: refused by the platform, and by the device when the platform is bypassed."""
    before = device.status()
    if not any(c["name"] == "virtual-2" for c in lab.platform.items("/classes")):
        lab.make_class("virtual-2")
    foreign = lab.release(firmware, device_class="virtual-2", version="3.0.3")
    refused = lab.platform.cli_run("campaign", "create", "--name", "wrong-class", "--release", foreign["id"], "--device", device.name)
    check(refused.returncode != 0 and "class" in refused.stderr, f"the platform let it through: {refused.stdout}{refused.stderr}")
    say("platform", f"refuses the campaign: {refused.stderr.strip().splitlines()[0]}")
    release = lab.release(firmware, version="3.0.4")
    envelope = lab.platform.api("GET", f"/releases/{foreign['id']}/envelope", raw=True)[1]
    say("attacker", "owns the platform's database: swaps in the genuine manifest of the other class")
    swap_envelope(lab, release, envelope)
    campaign = lab.campaign("wrong-class", release, [device])
    job = ended(lab, campaign, device, "refused", "wrong class")
    nothing_downloaded(job, device)
    slots_untouched(device, before)
    say(device.name, f"reports refused: {job['reason']['text']}; nothing was downloaded")
    return campaign


def bad_firmware(lab, device, say, firmware, reason, in_detail="", **release):
    before = device.status()
    version = running_version(device)
    release = lab.release(firmware, device.device_class, **release)
    campaign = lab.campaign(f"bad-{firmware}", release, [device])
    say("operator", f"rolls out {firmware}, not knowing that it is bad")
    job = ended(lab, campaign, device, "rolled_back", reason, 120)
    check(in_detail in (job["reason"]["detail"] or ""), f"the report does not name {in_detail!r}: {job['reason']}")
    slots_untouched(device, before)
    device.wait_confirmed(version)
    events = lab.platform.events(device=device.name, kind="device.rollback")
    check(events, "the platform has no rollback event")
    wait_for(f"{device.name}'s debt to be settled", lambda: not device.record()["owed"], 20)
    say("bootloader", f"falls back to slot {before['state']['confirmed']}")
    say(device.name, f"runs {version} again, reports the rollback: {job['reason']['text']} {job['reason']['detail'] or ''}".rstrip())
    return campaign


def self_test_fails(lab, device, say=silent):
    """(5) Firmware whose self-test fails: rollback, reported with the failing test's name."""
    return bad_firmware(lab, device, say, "2.2.0-selftest-fails", "self-test failed", "peripheral:adc")


def firmware_hangs(lab, device, say=silent):
    """(6) Firmware that hangs: watchdog, rollback, reported."""
    return bad_firmware(lab, device, say, "2.2.1-hangs", "watchdog")


def network_broken(lab, device, say=silent):
    """(7) Firmware that breaks its own network: rollback, reported by the old one."""
    return bad_firmware(lab, device, say, "2.2.3-net-broken", "no link")


def power_cut_in_download(lab, device, say=silent, firmware="2.1.0"):
    """(8) Power cut in the middle of the download: at most one chunk is fetched again."""
    release = lab.release(firmware)
    total = len(lab.firmware(firmware).read_bytes())
    campaign = lab.campaign("power-cut", release, [device])

    def half_way():
        job = lab.platform.jobs(campaign)[0]
        progress = job.get("progress")
        check(job["state"] not in ENDED and job["state"] != "verified", f"too fast to be cut: {job['state']}")
        return progress and progress["bytes"] > total // 4
    wait_for("the download to be under way", half_way, 60, 0.02)
    say("nature", f"cuts the power of {device.name} in the middle of the download")
    device.cut_power()
    ended(lab, campaign, device, "succeeded", "none")
    device.wait_confirmed(firmware)
    again = resumed(device)
    check(again["chunks_again"] <= 1, f"{again['chunks_again']} chunks were fetched again")
    say(device.name, f"resumed at chunk {again['chunk']} of {again['chunks']}; chunks fetched again: {again['chunks_again']}")
    return campaign


def resumed(device):
    """What the agent said when it took up the download after the cut: download: resume chunk=… chunks=… chunks_again=…"""
    lines = [line for line in device.serial.splitlines() if "download: resume" in line]
    check(lines, f"{device.name} did not resume:\n{device.serial[-2000:]}")
    fields = dict(part.split("=", 1) for part in lines[-1].split() if "=" in part)
    return {key: int(fields[key]) for key in ("chunk", "chunks", "chunks_again")}


def suspended_device(lab, device, say=silent, firmware="2.1.0"):
    """(9) A device suspended by the operator: thrown off at once, refused afterwards; its job waits until it is active."""
    wait_for(f"{device.name} to be connected", lambda: device.registered()["connected"], 30)
    said = len(device.serial)
    lab.platform.cli("device", "suspend", device.name, "--reason", "stolen?")
    say("operator", f"suspends {device.name}")
    wait_for(f"{device.name} to be thrown off the broker", lambda: not device.registered()["connected"], 5)
    say("broker", f"throws {device.name} off at once")
    device.wait_serial("mqtt: refused", 30, after=said)
    say("broker", f"refuses {device.name}'s next connection")
    release = lab.release(firmware)
    campaign = lab.campaign("suspended", release, [device])
    job = lab.platform.jobs(campaign)[0]
    check(job["state"] == "queued" and "suspended" in (job.get("waiting") or ""), f"the job does not wait: {job}")
    why = lab.platform.cli("why", device.name)
    check("suspended" in why, f"`pawl why` does not say it: {why}")
    say("platform", f"the job waits: {job['waiting']}")
    lab.platform.cli("device", "activate", device.name, "--reason", "found again")
    say("operator", f"activates {device.name} again")
    ended(lab, campaign, device, "succeeded", "none")
    device.wait_confirmed(firmware)
    say(device.name, f"took the job that waited, runs {firmware}")
    return campaign
