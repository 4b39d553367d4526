// What others write and the agent reads outside of the protocol: server answers, certificates, claims, configuration,
// the kernel's command line.
#include "agent/io/board.h"
#include "agent/io/connectivity.h"
#include "agent/io/enrol.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl::agent;
  if (size == 0) return 0;
  const std::string_view text = pawl::AsText({data + 1, size - 1});
  switch (data[0] % 6) {
    case 0:
      static_cast<void>(ParseCertificateAnswer(data[0] < 128 ? 200 : 403, text));
      break;
    case 1:
      static_cast<void>(ReadCertificate(text));
      break;
    case 2:
      if (const auto claim = ParseClaim(text, "dev-1.claim", "")) PAWL_ASSERT(pawl::wire::IsDeviceId(claim->id));
      break;
    case 3:
      static_cast<void>(ParseConfig("/d", text, {}));
      break;
    case 4:
      static_cast<void>(ParseHandOff(text));
      break;
    case 5:
      static_cast<void>(DefaultGateway(text));
      break;
  }
  return 0;
}
