#include "trust/crypto/crypto.h"
#include "trust/crypto/p256.h"

namespace pawl::crypto {

Digest Hash(ByteView bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

Digest SpkiDigestOf(const PublicKey& key) {
  Sha256 hash;
  hash.Update(kSpkiPrefix);
  hash.Update(key);
  return hash.Finish();
}

KeyId KeyIdOf(const PublicKey& key) {
  const Digest digest = SpkiDigestOf(key);
  KeyId kid;
  std::copy_n(digest.begin(), kid.size(), kid.begin());
  return kid;
}

}  // namespace pawl::crypto
