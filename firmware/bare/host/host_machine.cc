#include "firmware/bare/host/host_machine.h"

#include <string>

namespace pawl::firmware {
namespace {

constexpr std::string_view kMark = "pawl host image: ";
constexpr std::string_view kNames[] = {"good", "self-test fails", "hangs", "crashes", "never confirms"};

class VectorSlots final : public BootSlots {
 public:
  explicit VectorSlots(const std::array<Flash*, 2>& slots) : slots_(slots) {}
  Flash& flash(Slot slot) override { return *slots_[static_cast<std::size_t>(slot)]; }
  Result<ByteView> Load(Slot slot, std::uint64_t image_bytes) override {
    auto& memory = memory_[static_cast<std::size_t>(slot)];
    memory.resize(image_bytes);
    PAWL_TRY(flash(slot).Read(0, memory));
    return ByteView(memory);
  }

 private:
  std::array<Flash*, 2> slots_;
  std::array<std::vector<std::uint8_t>, 2> memory_;
};

}  // namespace

std::vector<std::uint8_t> HostImage(Behaviour behaviour, std::size_t bytes, std::uint8_t filler) {
  std::string line(kMark);
  line.append(kNames[static_cast<std::size_t>(behaviour)]).append("\n");
  std::vector<std::uint8_t> image(line.begin(), line.end());
  image.resize(std::max(bytes, image.size()), filler);
  return image;
}

Behaviour BehaviourOf(ByteView image) {
  const std::string_view text = AsText(image);
  for (std::size_t i = 0; text.starts_with(kMark) && i < std::size(kNames); ++i) {
    if (text.substr(kMark.size()).starts_with(kNames[i])) return static_cast<Behaviour>(i);
  }
  return Behaviour::kGood;
}

void HostMachine::Start(ResetCause cause, std::uint64_t now_ms) {
  child_.reset();
  record_.emplace(setup_.record);
  VectorSlots slots(setup_.slots);
  booted_.emplace(*record_, slots, setup_.rom, cause, setup_.watchdog_ms);
  behaviour_ = booted_->image ? BehaviourOf(booted_->image->image()) : Behaviour::kGood;
  const bool tests = booted_->hand_off.mode != BootMode::kNormal;
  hangs_ = behaviour_ == Behaviour::kHangs && tests;
  if (!booted_->image || behaviour_ == Behaviour::kCrashes) return;
  record_->Load();  // as the firmware does, which has a store of its own
  adc_.emplace(behaviour_);
  own_tests_ = {&*adc_};
  child_.emplace(Child::Setup{.port = port_,
                              .hand_off = booted_->hand_off,
                              .record = *record_,
                              .slots = setup_.slots,
                              .rom = setup_.rom,
                              .rom_digest = setup_.rom_digest,
                              .own_tests = own_tests_,
                              .spare_memory = spare_memory_,
                              .start_ticks = ++starts_,
                              .limits = setup_.limits},
                 now_ms);
}

}  // namespace pawl::firmware
