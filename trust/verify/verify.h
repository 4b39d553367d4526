// The decisions that a manifest or a permit holds. Freestanding, no heap, no I/O.
// Each check returns the only object that opens the next step, so a swallowed failure does not compile.
#pragma once

#include "base/result.h"
#include "trust/manifest/manifest.h"
#include "trust/verify/key_table.h"

namespace pawl {

// A manifest whose signatures all held. Exists only as the result of Verify: nobody else has a Pass.
class VerifiedManifest {
 public:
  class Pass {
    friend Result<VerifiedManifest> Verify(ByteView envelope, const KeyTable& keys);
    explicit Pass() = default;
  };
  explicit VerifiedManifest(Pass) {}
  const Manifest& get() const { return manifest_; }
  const Digest& digest() const { return digest_; }  // the SUIT_Digest: identifies the manifest

 private:
  friend Result<VerifiedManifest> Verify(ByteView envelope, const KeyTable& keys);
  friend Result<VerifiedManifest> Verify(ByteView envelope, const KeyTable& keys);
  Manifest manifest_{};
  Digest digest_{};
};

// Checks, in order: form (R1, R2, R4), every signature block (known kid, role image, distinct, signature holds; as many
// as the table's threshold), the manifest's digest, then the manifest itself, parsed from the same bytes (R3).
// Errors: malformed manifest, unknown key, wrong key role, invalid signature, manifest digest mismatch.
Result<VerifiedManifest> Verify(ByteView envelope, const KeyTable& keys);

// What a device is, for the conditions of a manifest.
struct Target {
  Uuid vendor{};
  Uuid cls{};
  std::uint64_t board_revision = 0;
  std::uint64_t security_floor = 0;  // the highest of record, ROM and fuse
  std::uint64_t slot_bytes = 0;      // the whole slot, its trailer included
  // The slot that holds the image or is to hold it: 0 A, 1 B. Absent (the platform): an image bound to a slot is
  // refused.
  std::optional<std::uint64_t> slot = std::nullopt;
};

// The conditions that hold at every boot: vendor, class, slot, board revision, security version, size.
// Errors: wrong vendor, wrong class, wrong slot, board revision too low, security version too low, image too large.
class BootableManifest {
 public:
  class Pass {
    friend Result<BootableManifest> CheckBootable(const VerifiedManifest& manifest, const Target& target);
    explicit Pass() = default;
  };
  BootableManifest(Pass, const VerifiedManifest& verified) : verified_(verified) {}
  const Manifest& get() const { return verified_.get(); }
  const Digest& digest() const { return verified_.digest(); }

 private:
  VerifiedManifest verified_;
};
Result<BootableManifest> CheckBootable(const VerifiedManifest& manifest, const Target& target);

// What runs, confirmed, for the install rule.
struct Running {
  std::uint64_t sequence = 0;
  Version version;
  Digest image_digest{};
};
// The further conditions before a download: sequence, use-before, version match, format (raw today).
// now_s: the device's time floor, seconds since 1970.
// Errors: already running, downgrade, release expired, wrong version, unsupported encoding.
class InstallableManifest {
 public:
  class Pass {
    friend Result<InstallableManifest> CheckInstallable(const BootableManifest& manifest, const Running& running,
                                                        std::uint64_t now_s);
    explicit Pass() = default;
  };
  InstallableManifest(Pass, const BootableManifest& bootable) : bootable_(bootable) {}
  const Manifest& get() const { return bootable_.get(); }
  const Digest& digest() const { return bootable_.digest(); }

 private:
  BootableManifest bootable_;
};
Result<InstallableManifest> CheckInstallable(const BootableManifest& manifest, const Running& running,
                                             std::uint64_t now_s);

// A permit whose signature held under a director key (P1). What it says is compared by the caller (P2..P6).
// Errors: permit: invalid signature, for everything, with the exact cause in the detail.
class VerifiedPermit {
 public:
  const Permit& get() const { return permit_; }

 private:
  friend Result<VerifiedPermit> VerifyPermit(ByteView cose_sign1, const KeyTable& keys);
  explicit VerifiedPermit(const Permit& permit) : permit_(permit) {}
  Permit permit_;
};
Result<VerifiedPermit> VerifyPermit(ByteView cose_sign1, const KeyTable& keys);

}  // namespace pawl
