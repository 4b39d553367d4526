// The image of machine_test: a real program that behaves as the last line of its own bytes says. It reads them from
// /proc/self/exe, so what decides is what runs, not what lies in a file.
//
//   good    confirms itself, then feeds the watchdog, and stages slot B when data/job tells it to (32 bytes: the
//   digest) hang    never feeds          crash   ends by a signal at once          exit   ends with status 7 fail fails
//   its trial, naming "memory", and resets                   never  feeds, but never confirms spawn   leaves a
//   grandchild in a session of its own, then hangs        twice  confirms twice, tells what the second said
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "slots/file/file_flash.h"
#include "slots/file/machine_line.h"
#include "slots/record_store.h"

namespace pawl {
namespace {

std::string Behaviour() {
  std::ifstream self("/proc/self/exe", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(self), {}};
  const std::string mark = "\nBEHAVE=";
  return bytes.substr(bytes.rfind(mark) + mark.size());
}

[[noreturn]] void WaitForever() {
  for (;;) ::pause();
}

void Say(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

class Image {
 public:
  Image(MachineLine line, const std::string& dir) : line_(std::move(line)), dir_(dir) {
    flash_ = *FileFlash::Open(dir + "/flash/record.bin", kRecordFileOptions);
  }

  const HandOff& hand_off() const { return line_.hand_off(); }
  bool Change(const Result<BootRecord>& next) {
    if (!next) {
      Say("refused: " + std::string(next.error().detail.view()));
      return false;
    }
    return store_->Commit(*next).has_value();
  }
  const BootRecord& Load() {
    store_.emplace(*flash_);
    return store_->Load().record;
  }
  void ConfirmIfNeeded() {
    if (hand_off().mode == BootMode::kNormal) return;
    if (Change(Confirm(Load(), hand_off().slot))) Say("confirmed");
  }
  void FeedForEver() {
    for (;;) {
      static_cast<void>(line_.Feed().has_value());
      StageIfTold();
      ::poll(nullptr, 0, 10);
    }
  }
  [[noreturn]] void Reset() {
    static_cast<void>(line_.Reset().has_value());
    WaitForever();
  }

 private:
  void StageIfTold() {
    const std::string job = dir_ + "/data/job";
    std::ifstream file(job, std::ios::binary);
    PendingRequest request{.slot = Other(hand_off().slot), .job = 5, .manifest_digest = {}};
    if (!file.read(reinterpret_cast<char*>(request.manifest_digest.data()), 32)) return;
    std::filesystem::remove(job);
    if (Change(SetPending(Load(), hand_off().slot, request))) Reset();
  }

  MachineLine line_;
  std::string dir_;
  std::unique_ptr<FileFlash> flash_;
  std::optional<RecordStore> store_;
};

void LeaveAGrandchild(const std::string& dir) {
  if (::fork() != 0) return;
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  std::ofstream(dir + "/data/grandchild.new") << ::getpid();
  std::filesystem::rename(dir + "/data/grandchild.new", dir + "/data/grandchild");
  WaitForever();
}

int Main() {
  const std::string behaviour = Behaviour();
  if (behaviour == "crash") ::raise(SIGILL);
  auto line = MachineLine::FromEnvironment();
  if (!line) {
    Say(std::string(line.error().detail.view()));
    return 2;
  }
  const std::string dir = std::getenv(kDeviceDirVariable);
  Image image(std::move(*line), dir);
  const HandOff& hand_off = image.hand_off();
  Say("runs " + behaviour + " in slot " + std::string(Text(hand_off.slot)) + ", " + std::string(Text(hand_off.mode)) +
      ", cause " + std::string(Text(hand_off.cause)) + ", trial " + std::to_string(hand_off.trial) + ", sv " +
      std::to_string(hand_off.security_version));
  if (behaviour == "hang") WaitForever();
  if (behaviour == "exit") return 7;
  if (behaviour == "never") image.FeedForEver();
  if (behaviour == "spawn") {
    LeaveAGrandchild(dir);
    WaitForever();
  }
  if (behaviour == "fail") {
    if (hand_off.mode == BootMode::kTrial) {
      image.Change(FailTrial(image.Load(), hand_off.slot, Reason::kSelfTestFailed, "memory"));
    }
    image.Reset();
  }
  image.ConfirmIfNeeded();
  if (behaviour == "twice") image.Change(Confirm(image.Load(), hand_off.slot));
  image.FeedForEver();
  return 0;
}

}  // namespace
}  // namespace pawl

int main() { return pawl::Main(); }
