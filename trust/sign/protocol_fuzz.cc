// Requests and answers of the signer's protocol: whatever decodes must encode to something that decodes to the same.
#include <cstdint>
#include <cstdlib>

#include "trust/sign/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl::sign;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = DecodeRequest(text)) {
    const std::string encoded = EncodeRequest(*request);
    const auto again = DecodeRequest(encoded);
    if (!again || EncodeRequest(*again) != encoded) std::abort();
  }
  if (const auto answer = DecodeAnswer(text)) {
    const std::string encoded = EncodeAnswer(*answer);
    const auto again = DecodeAnswer(encoded);
    if (!again || EncodeAnswer(*again) != encoded) std::abort();
  }
  return 0;
}
