// What a board provides: the one header that a new port implements (docs/porting.md). Bootloader (boot/port/bare) and
// bare-metal firmware (firmware/bare) are written over it and know no board. Freestanding, no heap.
//
// Which board     is chosen at link time: each function stands in boot/port/<target>/.
// Who calls what  each function says whether bootloader, firmware or both call it. All run on one core, interrupts off.
// Errors          a driver that cannot go on in the bootloader ends in Crash; flash errors are returned
// (slots/flash.h).
#pragma once

#include <optional>

#include "slots/flash.h"
#include "slots/handoff.h"

namespace pawl::board {

// Name for people and logs: "virt".
std::string_view Name();

// Both, first of all, once per start: clocks, console, flash, caches. The C runtime (stack, .data, .bss, constructors)
// is already up: the port's own start code does that.
void Start();

// Bootloader, right after Start: from here to Jump nothing but the bootloader's own code can be executed, so that a
// core which goes astray comes to no byte that nobody has verified (docs/adr/0010). A board without a unit for it does
// nothing here, and its page says so.
void ForbidExecution();

// --- read-only memory ---

// Both: the blobs of docs/spec/keys.md as they lie in memory that no program can write. Empty: there are none, or what
// stands there is damaged; the bootloader then starts nothing.
ByteView AnchorsInRom();
ByteView IdentityInRom();

// --- flash ---

Flash& RecordFlash();         // both: two sectors, the boot record
Flash& SlotFlash(Slot slot);  // both: the whole slot, trailer included
// Bootloader: where the image of this slot is copied, verified and run: RAM of its own for each slot, large enough for
// SlotImageBytesMax, and for what the image needs behind itself (.bss). Nothing but the running core writes there.
MutableBytes ImageMemory(Slot slot);

// --- reset and watchdog ---

// Bootloader, once per start: why it started. A board without a register for it gives `other`.
ResetCause TakeResetCause();
// Bootloader, right after Start: the watchdog over the bootloader itself. The window is the board's own and covers all
// up to the jump, which does not feed. The cause of a reset that it makes is `other`: no image has hung.
void GuardBootloader();
// Bootloader, before the jump: the watchdog over the image, with a window of WatchdogMs(). From then on nothing but a
// reset stops it.
void ArmWatchdog();
std::uint32_t WatchdogMs();
// Both: starts the window again.
void FeedWatchdog();
// Both: a software reset, so that the next start's cause is `software`.
[[noreturn]] void Reset();
// Both: for a bug, or a driver that cannot go on. Prints `what` and resets, so that the next start's cause is `other`.
[[noreturn]] void Crash(std::string_view what);

// --- hand-over ---

// Bootloader: leaves `hand_off` for the firmware. Before the second look: a fault in here may write anywhere.
void LeaveHandOff(const HandOff& hand_off);
// Bootloader: ends ForbidExecution, makes the image's bytes visible to instruction fetch and jumps to its first byte;
// writes no memory.
// Precondition: `image` lies in ImageMemory of the slot handed off.
[[noreturn]] void Jump(ByteView image);
// Firmware: what the bootloader left.
HandOff TakeHandOff();

// --- console ---

// Both: the UART, blocking. Text for people and the frames of wire/serial share it.
void Write(ByteView bytes);
inline void Print(std::string_view text) { Write(AsBytes(text)); }
// Firmware: the next byte that came in, if there is one. Never waits.
std::optional<std::uint8_t> ReadByte();
// Both: returns when a byte may have come in, or after so long; earlier where the board cannot wait.
void WaitForInput(std::uint32_t milliseconds);
// Firmware: returns when all that was written has left the board.
void WaitWritten();
// Firmware, a self-test: whether the UART's registers answer as they should.
bool ConsoleAnswers();
// Both: milliseconds since Start. Never goes back.
std::uint64_t Milliseconds();
// Firmware: the raw count of the fastest clock there is. Differs between two starts as well as the board can; not
// secret.
std::uint64_t Ticks();

}  // namespace pawl::board
