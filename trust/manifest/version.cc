#include "trust/manifest/manifest.h"

namespace pawl {

int CompareVersions(const Version& a, const Version& b) {
  const auto parts = [](const Version& v) {
    return std::array<std::int64_t, 5>{v.major, v.minor, v.patch, static_cast<std::int64_t>(v.stage),
                                       v.stage_number.value_or(0)};
  };
  const auto left = parts(a);
  const auto right = parts(b);
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
  }
  return 0;
}

bool Matches(const VersionMatch& match, const Version& running) {
  const int order = CompareVersions(running, match.version);
  switch (match.comparison) {
    case VersionMatch::Comparison::kGreater:
      return order > 0;
    case VersionMatch::Comparison::kGreaterEqual:
      return order >= 0;
    case VersionMatch::Comparison::kEqual:
      return order == 0;
    case VersionMatch::Comparison::kLesserEqual:
      return order <= 0;
    case VersionMatch::Comparison::kLesser:
      return order < 0;
  }
  return false;
}

}  // namespace pawl
