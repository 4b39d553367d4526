#!/usr/bin/python3
"""The factory's programmer for the virt board: writes the files that stand for its ROM and its NOR flash.

  tools/make_flash.py --bootloader build/virt/bin/pawl-boot.bin --anchors anchors.cbor --identity identity.cbor \\
                      --image image.bin --envelope envelope.suit --rom rom.img --nor nor.img

pawl-forge makes anchors, identity and envelope for tests; a platform's data directory has the anchors of real releases.
"""
import argparse
import pathlib
import sys

from lab import flash_images
from lab.process import LabError


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootloader", type=pathlib.Path, required=True, help="pawl-boot.bin")
    parser.add_argument("--anchors", type=pathlib.Path, required=True, help="trust anchors (docs/spec/keys.md)")
    parser.add_argument("--identity", type=pathlib.Path, required=True, help="vendor, class, board revision, minimum security version")
    parser.add_argument("--watchdog-ms", type=int, default=4000, help="the watchdog's window (default: %(default)s)")
    parser.add_argument("--image", type=pathlib.Path, help="the first firmware; none: blank slots")
    parser.add_argument("--envelope", type=pathlib.Path, help="its signed manifest")
    parser.add_argument("--slot", choices="AB", default="A", help="where it goes (default: %(default)s)")
    parser.add_argument("--rom", type=pathlib.Path, required=True, help="file for flash bank 0; is replaced")
    parser.add_argument("--nor", type=pathlib.Path, required=True, help="file for flash bank 1; is replaced")
    found = parser.parse_args()
    if bool(found.image) != bool(found.envelope):
        parser.error("--image and --envelope belong together")
    return found


def main():
    wanted = arguments()
    try:
        flash_images.make_virt_rom(wanted.rom, wanted.bootloader.read_bytes(), wanted.anchors.read_bytes(),
                                   wanted.identity.read_bytes(), wanted.watchdog_ms)
        nor = flash_images.NorFile(wanted.nor, flash_images.VIRT).make_blank()
        if wanted.image:
            nor.write_slot(wanted.slot, wanted.image.read_bytes(), wanted.envelope.read_bytes())
    except (OSError, LabError) as error:
        sys.exit(f"make_flash: {error}")


if __name__ == "__main__":
    main()
