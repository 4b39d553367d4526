// The end of staging: envelope, flush, then all of it read back from the slot and verified again. In slices, so that
// the loop goes on and the watchdog is fed.
#pragma once

#include <cstdint>
#include <optional>

#include "slots/file/file_flash.h"
#include "trust/crypto/crypto.h"
#include "trust/verify/verify.h"

namespace pawl::agent {

class Sealer {
 public:
  // Writes the envelope behind the image, durably. Lifetime: keeps slot and keys. Errors: slot write failed.
  Status Start(FileFlash& slot, const KeyTable& keys, ByteView envelope, const Digest& image_digest,
               std::uint64_t image_bytes);
  void Stop() { slot_ = nullptr; }
  bool running() const { return slot_ != nullptr; }

  // One slice. Nothing: not done yet. Errors: image digest, and those of the envelope's verification.
  std::optional<Status> Work();

 private:
  Status ReadSlice();
  Status Finish();

  FileFlash* slot_ = nullptr;
  const KeyTable* keys_ = nullptr;
  Digest image_digest_{};
  std::uint64_t image_bytes_ = 0;
  std::uint64_t read_ = 0;
  crypto::Sha256 hash_;
};

}  // namespace pawl::agent
