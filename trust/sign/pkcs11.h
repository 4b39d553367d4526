// One PKCS#11 module, one session: the few calls that the signer needs. Keys are P-256.
//
// Errors   hsm error, or unavailable where the HSM is not there; each names the PKCS#11 call and its code. not found:
// no
//          such token or key. Never a PIN.
// Threads  none: the caller serialises.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace pawl::sign {

// The name of a CK_RV: "CKR_DEVICE_REMOVED", or its number.
std::string Pkcs11CodeName(unsigned long code);

class Pkcs11 {
 public:
  struct KeyPair {
    unsigned long private_handle = 0;
    PublicKey public_key{};
  };

  // Loads the module. Nothing of the HSM is touched before Open.
  static Result<std::unique_ptr<Pkcs11>> Load(const std::string& module_path);
  ~Pkcs11();

  // Initialises the module, finds the token by its label, opens a session, logs in. Closes first if open.
  Status Open(std::string_view token_label, std::string_view pin);
  // The module forgets everything; handles are void.
  void Close();
  bool is_open() const { return session_open_; }

  // For the token that pawl makes itself. CreateToken leaves the session open.
  Status CreateToken(std::string_view token_label, std::string_view security_officer_pin, std::string_view pin);
  // Sensitive, never extractable, for signing only.
  Status GenerateKey(std::string_view label);

  // The pair with this label. Errors: not found (naming what is missing), conflict (twice, or extractable).
  Result<KeyPair> FindKey(std::string_view label);
  // CKM_ECDSA: r || s as the token gives it.
  Result<Signature> Sign(const KeyPair& key, const Digest& digest);

 private:
  struct Module;
  explicit Pkcs11(std::unique_ptr<Module> module);

  Status Initialise();
  Status OpenSession(std::string_view token_label, bool writable);
  Status Login(unsigned long user, std::string_view pin);
  Result<unsigned long> FindToken(std::string_view token_label);
  Result<unsigned long> FindOne(unsigned long object_class, std::string_view label);
  Result<PublicKey> ReadPublicKey(unsigned long handle, std::string_view label);
  Status RequireNotExtractable(unsigned long handle, std::string_view label);

  std::unique_ptr<Module> module_;
  bool initialised_ = false;
  bool session_open_ = false;
  unsigned long session_ = 0;
};

}  // namespace pawl::sign
