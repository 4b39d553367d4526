#include "trust/sign/names.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/assert.h"

namespace pawl {
namespace {

// RFC 9562, section 5.5.
Uuid Uuid5(const Uuid& space, std::string_view name) {
  std::vector<std::uint8_t> input(space.begin(), space.end());
  input.insert(input.end(), name.begin(), name.end());
  std::array<std::uint8_t, 20> hash{};
  PAWL_ASSERT(EVP_Digest(input.data(), input.size(), hash.data(), nullptr, EVP_sha1(), nullptr) == 1);
  Uuid uuid;
  std::copy_n(hash.begin(), uuid.size(), uuid.begin());
  uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0f) | 0x50);
  uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3f) | 0x80);
  return uuid;
}

constexpr Uuid kDnsSpace = {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
                            0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};

}  // namespace

Uuid VendorId(std::string_view domain) { return Uuid5(kDnsSpace, domain); }
Uuid ClassId(const Uuid& vendor, std::string_view class_name) { return Uuid5(vendor, class_name); }

}  // namespace pawl
