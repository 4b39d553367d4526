// Signing requests of strangers.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "platform/io/http/csr.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto key = pawl::http::PublicKeyOfCsr({reinterpret_cast<const char*>(data), size});
  if (key) PAWL_ASSERT((*key)[0] == 4);
  return 0;
}
