#include "agent/io/build_time.h"

namespace pawl::agent {

const std::uint64_t kBuildTime = PAWL_BUILD_TIME;

}  // namespace pawl::agent
