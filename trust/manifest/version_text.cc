#include "trust/manifest/manifest.h"

namespace pawl {
namespace {

struct StageName {
  Version::Stage stage;
  std::string_view text;
};
constexpr StageName kStages[] = {
    {Version::Stage::kCandidate, "-rc"}, {Version::Stage::kBeta, "-beta"}, {Version::Stage::kAlpha, "-alpha"}};

bool TakeText(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// No sign, no leading zeros: one number has one text.
bool TakeNumber(std::string_view& text, std::uint32_t& number) {
  std::uint64_t value = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    value = value * 10 + static_cast<unsigned>(text[digits] - '0');
    if (value > 0xFFFF'FFFFU) return false;
  }
  if (digits == 0 || (digits > 1 && text[0] == '0')) return false;
  text.remove_prefix(digits);
  number = static_cast<std::uint32_t>(value);
  return true;
}

bool TakeStage(std::string_view& text, Version& version) {
  for (const StageName& name : kStages) {
    if (!TakeText(text, name.text)) continue;
    version.stage = name.stage;
    if (!TakeText(text, ".")) return true;
    return TakeNumber(text, version.stage_number.emplace());
  }
  return false;
}

}  // namespace

BoundedText<48> ToText(const Version& version) {
  BoundedText<48> text;
  text.append_number(version.major).append(".").append_number(version.minor).append(".").append_number(version.patch);
  for (const StageName& name : kStages) {
    if (name.stage == version.stage) text.append(name.text);
  }
  if (version.stage_number) text.append(".").append_number(*version.stage_number);
  return text;
}

Result<Version> ParseVersion(std::string_view text) {
  Version version;
  std::string_view rest = text;
  const bool parsed = TakeNumber(rest, version.major) && TakeText(rest, ".") && TakeNumber(rest, version.minor) &&
                      TakeText(rest, ".") && TakeNumber(rest, version.patch) &&
                      (rest.empty() || TakeStage(rest, version)) && rest.empty();
  if (parsed) return version;
  return Fail(Reason::kInvalidArgument, "a version is written 2.1.0 or 2.1.0-rc.3 (stages: rc, beta, alpha)");
}

}  // namespace pawl
