#include "firmware/bare/self_test.h"

#include "firmware/bare/flash_hash.h"

namespace pawl::firmware {
namespace {

constexpr std::size_t kProbeBytes = 512;

TestOutcome Failed(std::string_view detail) { return {Verdict::kFail, detail}; }

// False: a word does not hold what was written into it. Every word gets another value, so that lines of the address
// that stick are found too.
bool HoldsPattern(std::span<volatile std::uint32_t> memory, std::uint32_t flip) {
  constexpr std::uint32_t kSpread = 0x9E3779B9;
  std::uint32_t value = flip;
  for (volatile std::uint32_t& word : memory) word = value += kSpread;
  value = flip;
  for (const volatile std::uint32_t& word : memory) {
    if (word != (value += kSpread)) return false;
  }
  return true;
}

}  // namespace

TestOutcome FlashTest::Run(std::uint64_t) {
  std::array<std::uint8_t, kProbeBytes> once;
  std::array<std::uint8_t, kProbeBytes> again;
  if (!slot_.Read(0, once) || !slot_.Read(0, again)) return Failed("does not answer");
  return once == again ? TestOutcome{} : Failed("reads differ");
}

TestOutcome RecordTest::Run(std::uint64_t) {
  const RecordState found = record_.Peek();
  if (found.kind != RecordKind::kValid) return Failed("no valid record");
  return found == record_.state() ? TestOutcome{} : Failed("not what was loaded");
}

TestOutcome RamTest::Run(std::uint64_t) {
  const bool holds = HoldsPattern(memory_, 0) && HoldsPattern(memory_, 0x55555555) && HoldsPattern(memory_, 0xAAAAAAAA);
  return holds ? TestOutcome{} : Failed("pattern");
}

TestOutcome ImageTest::Run(std::uint64_t) {
  if (!manifest_) return Finish(Failed(Text(manifest_.error().reason)));
  const Manifest& manifest = manifest_->get();
  const std::uint64_t part = std::min<std::uint64_t>(kHashPartBytes, manifest.image_bytes - done_);
  if (!HashPart(slot_, done_, part, hash_)) return Finish(Failed("cannot be read"));
  done_ += part;
  if (done_ < manifest.image_bytes) return {Verdict::kMore, {}};
  const bool equal = hash_.Finish() == manifest.image_digest;
  return Finish(equal ? TestOutcome{} : Failed("not the signed image"));
}

TestOutcome ImageTest::Finish(const TestOutcome& outcome) {
  done_ = 0;
  hash_ = {};
  return outcome;
}

}  // namespace pawl::firmware
