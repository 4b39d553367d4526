#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace pawl {

void AssertFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: bug: %s does not hold\n", file, line, expression);
  std::abort();
}

}  // namespace pawl
