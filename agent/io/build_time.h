// When this image was built: the first time floor.
#pragma once

#include <cstdint>

namespace pawl::agent {

extern const std::uint64_t kBuildTime;  // seconds since 1970

}  // namespace pawl::agent
