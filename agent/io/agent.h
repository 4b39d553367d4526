// The agent: one thread, one loop around the update machine.
//
// Everything that happens (messages, timers, downloads, self-tests) becomes an event of agent/core/machine.h; what the
// machine wants done is performed here, in order.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/machine.h"
#include "agent/io/cell_file.h"
#include "agent/io/config.h"
#include "agent/io/downloader.h"
#include "agent/io/enrol.h"
#include "agent/io/hardware.h"
#include "agent/io/http.h"
#include "agent/io/mqtt.h"
#include "agent/io/system.h"

namespace pawl::agent {

class Agent {
 public:
  // Reads ROM, boot record, ledger. Errors: those of the parts, each naming its file.
  static Result<std::unique_ptr<Agent>> Open(Config config, MakeHardware make);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  enum class End : std::uint8_t {
    kStopped,  // SIGTERM or SIGINT
    kGone,     // the hardware is: another agent may be opened once it answers
  };
  // Waits for the device to be enrolled first.
  End Run();

 private:
  explicit Agent(Config config);
  Status Load(MakeHardware make);
  Downloader::Options DownloadOptions() const;
  Status LoadCas();
  bool Enrolled();
  void Connect();
  void RefreshTls();

  // The loop.
  void Turn();
  void Wait();
  void FeedWatchdog(std::uint64_t now_ms);
  void WorkParts(std::uint64_t now_ms);
  void WorkDownload(std::uint64_t now_ms);
  void WorkRenewal(std::uint64_t now_ms);
  std::uint64_t NextMs() const;

  // The machine.
  void Note(Happening what) { inbox_.push_back(std::move(what)); }
  void Drain();
  void Advance(const Happening& what);
  void LogProgress(const State& before) const;
  void TakeMessage(std::string_view payload);

  // Actions. False: it failed, the rest of the step is dropped.
  bool Do(const action::Send& send);
  bool Do(const action::PersistLedger& persist);
  bool Do(const action::Fetch& fetch);
  bool Do(const action::StopFetch& stop);
  bool Do(const action::Seal& seal);
  bool Do(const action::SetPending& pending);
  bool Do(const action::Confirm& confirm);
  bool Do(const action::FailTrial& fail);
  bool Do(const action::SettleRollback& settle);
  bool Do(const action::SettleEmergency& settle);
  bool Do(const action::RaiseFloor& raise);
  bool Do(const action::RunSelfTests& run);
  bool Do(const action::Disconnect& disconnect);
  bool Do(const action::Reboot& reboot);
  bool BootResult(std::string_view what, const Status& done);

  Config config_;
  KeyTable anchors_;
  RomIdentity rom_;
  Device device_;
  std::unique_ptr<CellFile> ledger_file_;
  std::unique_ptr<CellFile> journal_file_;
  std::optional<PinnedCas> cas_;
  std::optional<DeviceIdentity> identity_;
  std::shared_ptr<const Tls> tls_;

  HttpClient http_;
  std::unique_ptr<Hardware> hardware_;
  std::unique_ptr<Downloader> downloader_;
  std::unique_ptr<Renewal> renewal_;
  std::unique_ptr<MqttLink> mqtt_;  // none until enrolled

  State state_;
  std::deque<Happening> inbox_;
  OwnedFd signals_;
  std::uint64_t fed_ms_ = 0;
  std::uint64_t progress_ms_ = 0;
  std::uint64_t enrolled_ms_ = 0;  // looked last
  bool stop_ = false;
};

}  // namespace pawl::agent
