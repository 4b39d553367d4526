#!/usr/bin/python3
"""Writes bytes that do not compress, the same each time.

Usage: make_ballast.py FILE BYTES
"""
import pathlib
import random
import sys

pathlib.Path(sys.argv[1]).write_bytes(random.Random("pawl ballast").randbytes(int(sys.argv[2])))
