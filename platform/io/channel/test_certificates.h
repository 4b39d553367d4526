// Throw-away certificates for the tests of the channel, made in memory with OpenSSL and written as PEM files.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"

namespace pawl::test {

class Key {
 public:
  Key();               // a fresh P-256 key
  Digest Pin() const;  // SHA-256 of SubjectPublicKeyInfo
  void Write(const std::string& path) const;
  void* get() const { return key_.get(); }

 private:
  std::shared_ptr<void> key_;
};

// A certificate authority for one purpose.
class Authority {
 public:
  explicit Authority(const std::string& name);
  void Write(const std::string& path) const;
  // A certificate with this common name. `usage`: "serverAuth" (for 127.0.0.1) or "clientAuth". `life_s`: from now on;
  // negative: it has expired.
  void Issue(const std::string& path, const Key& key, const std::string& common_name, const std::string& usage,
             long life_s = 3600) const;

 private:
  Key key_;
  std::shared_ptr<void> certificate_;
};

}  // namespace pawl::test
