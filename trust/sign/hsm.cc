#include "trust/sign/hsm.h"

#include <openssl/crypto.h>

#include "base/hosted/files.h"
#include "trust/crypto/crypto.h"

namespace pawl::sign {
namespace {
constexpr std::size_t kMaxPinBytes = 256;
}

Result<std::string> ReadPin(const std::string& path) {
  PAWL_ASSIGN(std::string pin, ReadFile(path, kMaxPinBytes));
  while (!pin.empty() && (pin.back() == '\n' || pin.back() == '\r')) pin.pop_back();
  return pin;
}

Secret::~Secret() { OPENSSL_cleanse(text_.data(), text_.size()); }

Result<std::unique_lock<std::timed_mutex>> Hsm::Lock() {
  std::unique_lock lock(mutex_, kMaxHsmWait);
  if (!lock) return Fail(Reason::kUnavailable, "HSM: an earlier PKCS#11 call has not come back");
  return lock;
}

Status Hsm::LogIn() {
  PAWL_ASSIGN(std::string pin_text, ReadPin(settings_.pin_file));
  const Secret pin(std::move(pin_text));
  const Digest hash = crypto::Hash(AsBytes(pin.view()));
  if (refused_pin_ == hash) {
    return Fail(Reason::kUnavailable, "HSM: C_Login refused the PIN in " + settings_.pin_file + ": correct that file");
  }
  const Status opened = module_->Open(settings_.token, pin.view());
  if (!opened && opened.error().reason == Reason::kUnauthenticated) refused_pin_ = hash;
  return opened;
}

// Whatever the code: an HSM that cannot be opened is not there for us now.
Status Hsm::Open() {
  if (!module_) {
    PAWL_ASSIGN(module_, Pkcs11::Load(settings_.module));
  }
  const Status opened = LogIn();
  if (!opened) return Fail(Reason::kUnavailable, opened.error().detail);
  PAWL_ASSIGN(keys_, FindKeys());
  return {};
}

Status Hsm::EnsureOpen() {
  if (module_ && module_->is_open()) return {};
  const Status opened = Open();
  if (!opened && module_) module_->Close();
  return opened;
}

Result<Hsm::Keys> Hsm::FindKeys() {
  Keys keys;
  PerUse<PublicKey> found;
  for (const KeyUse use : kKeyUses) {
    PAWL_ASSIGN(keys.of(use), module_->FindKey(settings_.labels.of(use)));
    found.of(use) = keys.of(use).public_key;
    if (first_seen_ && first_seen_->of(use) != found.of(use)) {
      return Fail(Reason::kConflict, "HSM: another key than before has the label \"" + settings_.labels.of(use) + "\"");
    }
  }
  first_seen_ = found;
  return keys;
}

Result<PerUse<PublicKey>> Hsm::Probe() {
  PAWL_ASSIGN(const auto lock, Lock());
  if (module_ && module_->is_open()) {
    auto keys = FindKeys();
    if (keys) keys_ = *keys;
    if (!keys) module_->Close();
  }
  PAWL_TRY(EnsureOpen());
  return *first_seen_;
}

Result<Signature> Hsm::SignOnce(KeyUse use, const Digest& digest) {
  PAWL_TRY(EnsureOpen());
  Result<Signature> signature = module_->Sign(keys_.of(use), digest);
  if (!signature) module_->Close();
  return signature;
}

Result<Signature> Hsm::Sign(KeyUse use, const Digest& digest) {
  PAWL_ASSIGN(const auto lock, Lock());
  // A session or handle may have died since the last call: once more with new ones tells.
  if (Result<Signature> signature = SignOnce(use, digest)) return signature;
  return SignOnce(use, digest);
}

}  // namespace pawl::sign
