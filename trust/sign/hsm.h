// The fleet's keys in the HSM, kept within reach: what goes wrong closes the session, the next call opens it again.
//
// Threads  any; one call at a time reaches the HSM, the others wait at most kMaxHsmWait.
// Errors   those of Pkcs11; unavailable too while another call hangs in the HSM; conflict: a key is not the one that
// this
//          process saw first under its label.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "trust/sign/pkcs11.h"
#include "trust/sign/signing.h"

namespace pawl::sign {

inline constexpr std::chrono::seconds kMaxHsmWait{3};

enum class KeyUse : std::uint8_t { kImage, kDirector, kDeviceCa, kServerCa };
inline constexpr std::array<KeyUse, 4> kKeyUses = {KeyUse::kImage, KeyUse::kDirector, KeyUse::kDeviceCa,
                                                   KeyUse::kServerCa};
inline constexpr std::array<const char*, 4> kKeyUseNames = {"image", "director", "device-ca", "server-ca"};

// One value for each KeyUse.
template <class T>
struct PerUse : std::array<T, kKeyUses.size()> {
  const T& of(KeyUse use) const { return (*this)[static_cast<std::size_t>(use)]; }
  T& of(KeyUse use) { return (*this)[static_cast<std::size_t>(use)]; }
};

struct HsmSettings {
  std::string module;    // path of the PKCS#11 module
  std::string token;     // its label
  std::string pin_file;  // the user PIN; a newline at its end is not part of it
  PerUse<std::string> labels;
};

class Hsm {
 public:
  explicit Hsm(HsmSettings settings) : settings_(std::move(settings)) {}

  // Looks at the token: all keys are there, non-extractable, and the same as ever.
  Result<PerUse<PublicKey>> Probe();
  Result<Signature> Sign(KeyUse use, const Digest& digest);

 private:
  using Keys = PerUse<Pkcs11::KeyPair>;

  Result<std::unique_lock<std::timed_mutex>> Lock();
  Status EnsureOpen();
  Status Open();
  Status LogIn();
  Result<Keys> FindKeys();
  Result<Signature> SignOnce(KeyUse use, const Digest& digest);

  const HsmSettings settings_;
  std::timed_mutex mutex_;
  std::unique_ptr<Pkcs11> module_;
  Keys keys_;  // valid while the module is open
  std::optional<PerUse<PublicKey>> first_seen_;
  std::optional<Digest> refused_pin_;  // its hash
};

// One of the HSM's keys. Lifetime: within the HSM's.
class HsmKey final : public SigningKey {
 public:
  HsmKey(Hsm& hsm, KeyUse use, const PublicKey& public_key) : hsm_(hsm), use_(use), public_key_(public_key) {}
  const PublicKey& public_key() const override { return public_key_; }
  Result<Signature> Sign(const Digest& digest) override { return hsm_.Sign(use_, digest); }

 private:
  Hsm& hsm_;
  KeyUse use_;
  PublicKey public_key_;
};

// A text that is wiped when it goes.
class Secret {
 public:
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();
  std::string_view view() const { return text_; }

 private:
  std::string text_;
};

// The file's text without the newline at its end. For a Secret at once.
Result<std::string> ReadPin(const std::string& path);

}  // namespace pawl::sign
