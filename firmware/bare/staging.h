// The staging slot as the line fills it: image bytes to flash, the envelope to RAM, then both sealed and verified with
// the keys of the ROM. Freestanding, no heap.
//
// Source      docs/spec/serial.md, "What the child does with a request".
// Invariants
//   - Flash is written only where the rule "write slot s" of docs/spec/boot.md allows it.
//   - The envelope is erased before the first image byte is written, and written after the last.
//   - `sealed` names a manifest only if, in this boot, envelope and image were read back from flash and verified.
#pragma once

#include "boot/core/verify_slot.h"
#include "firmware/bare/port.h"
#include "slots/record_store.h"
#include "wire/serial/serial.h"

namespace pawl::firmware {

class Staging {
 public:
  struct Parts {
    Flash& flash;  // of the slot that does not run
    Slot slot;     // that one
    const RecordStore& record;
    const Rom& rom;
    SlotTrailer& buffer;  // for the envelope; nobody else's between Begin and Seal
    ChildPort& port;      // fed between the parts of what takes long; so never to be used in a trial
  };
  explicit Staging(const Parts& parts) : parts_(parts) {}

  // Errors of all: those of the page.
  Result<serial::Staged> Begin(const serial::Begin& begin);
  Result<serial::Staged> Write(const serial::Write& write);
  Result<serial::Staged> TakeEnvelope(const serial::Envelope& part);
  // running: what runs now, for the install rule.
  Status Seal(const Manifest& running);
  // Reads only: allowed at any time.
  Result<serial::Hashed> Hash(const serial::HashStaged& wanted);

  const std::optional<Digest>& sealed() const { return sealed_; }

 private:
  Status MayWrite() const;
  serial::Staged Where() const { return {.image_bytes = image_bytes_, .envelope_bytes = envelope_bytes_}; }
  bool Holds(std::uint64_t offset, ByteView data);
  Status Store(std::uint64_t offset, ByteView data);
  Status WriteAndVerify(const Manifest& running);
  Status CheckEnvelope(ByteView envelope, const Manifest& running, Digest& image_digest) const;
  Status CheckImage(const Digest& digest);

  Parts parts_;
  std::optional<serial::Begin> begun_;
  std::uint64_t image_bytes_ = 0;     // written so far
  std::uint32_t envelope_bytes_ = 0;  // in the buffer so far
  std::optional<Digest> sealed_;
  std::optional<Error> refused_;  // what Seal said: it says the same again
};

}  // namespace pawl::firmware
