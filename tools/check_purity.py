#!/usr/bin/python3
"""Holds the undefined symbols of each core's library against an allow-list: no socket, file, clock, thread, randomness.

Usage: tools/check_purity.py BUILD_DIR LIBRARY...      libraries by target name, e.g. pawl_boot_core
"""
import pathlib
import re
import subprocess
import sys

# Freestanding parts may use memory functions and pawl's own code, nothing else.
FREESTANDING = {"pawl_base", "pawl_manifest", "pawl_verify", "pawl_slots", "pawl_serial", "pawl_boot_core", "pawl_child"}
MEMORY = {"memcpy", "memset", "memmove", "memcmp", "bcmp", "strlen", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_",
          "memchr", "__memcpy_chk", "__memset_chk", "__memmove_chk"}
# The other cores may use the heap and the standard containers too.
HEAP = re.compile(
    r"^(_Zn[wa]m|_Zd[la]Pv(m)?|_ZnwmSt11align_val_t|_ZdlPvmSt11align_val_t|_ZdlPvSt11align_val_t"
    r"|_ZSt(17__throw_bad_alloc|20__throw_length_error|20__throw_out_of_range|24__throw_out_of_range_fmt|28__throw_bad_array_new_length|19__throw_logic_error|25__throw_bad_function_call)v?(PKcz?)?"
    r"|_ZNS?t?K?7__cxx1112basic_string.*|_ZNKSt7__cxx1112basic_string.*|_ZNKSt17basic_string_view.*|_ZNSaIcE.*"
    r"|_ZSt(18_Rb_tree_increment|18_Rb_tree_decrement|29_Rb_tree_insert_and_rebalance|28_Rb_tree_rebalance_for_erase)P.*"
    r"|_ZNSt8__detail15_List_node_base.*|_ZSt(8to_chars|10from_chars).*|_ZNSt6chrono.*duration.*|__cxa_(pure_virtual|guard_.*|atexit)|__dso_handle|_ZSt9terminatev|_ZTVN10__cxxabiv1.*|__gxx_personality_v0|_Unwind_Resume)$")
PAWL = re.compile(r"^_Z(N|NK|TV|TI|TS|ZN|ZNK|GVZN|StltIN|StssIN)?K?4pawl|^_ZN?K?S?t?.*4pawl")


def undefined(library):
    out = subprocess.run(["nm", "-u", "--format=just-symbols", library], capture_output=True, text=True, check=True).stdout
    return {line.strip() for line in out.splitlines() if line.strip() and not line.strip().endswith(":")}


def main():
    build = pathlib.Path(sys.argv[1])
    problems = 0
    for name in sys.argv[2:]:
        library = build / "lib" / f"lib{name}.a"
        symbols = undefined(library)
        for symbol in sorted(symbols):
            # The sanitizers' own hooks say nothing about the code.
            if symbol in MEMORY or PAWL.match(symbol) or symbol.startswith(("__asan_", "__ubsan_", "__sanitizer_", "__sancov")):
                continue
            if name not in FREESTANDING and HEAP.match(symbol):
                continue
            shown = subprocess.run(["c++filt", symbol], capture_output=True, text=True).stdout.strip()
            print(f"{name}: {shown} is not on the allow-list of a {'freestanding' if name in FREESTANDING else 'pure'} part")
            problems += 1
        print(f"check_purity: {name}: {len(symbols)} undefined symbols")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
