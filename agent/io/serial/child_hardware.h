// A child behind a serial line as the agent's hardware. The child decides, tests itself, feeds its own watchdog; the
// gateway downloads into a spool file, brings it over the line, and tells the platform what the child says.
//
// Lifetime  one boot of the child: when it starts anew or does not answer, it is gone, and another object follows.
#pragma once

#include "agent/io/hardware.h"
#include "agent/io/sealer.h"
#include "agent/io/serial/child_facts.h"
#include "agent/io/serial/child_link.h"
#include "agent/io/serial/nonce_relay.h"
#include "agent/io/serial/slot_push.h"

namespace pawl::agent {

inline constexpr std::string_view kSpoolFile = "spool.bin";

class ChildHardware final : public Hardware, private BootControl {
 public:
  // facts: as the child answered just now. Lifetime: keeps config, anchors, http.
  // Errors: those of BootFactsOf, CheckRom, CheckGeometry and of the spool file.
  static Result<std::unique_ptr<Hardware>> Open(std::unique_ptr<ChildLink> link, const serial::Facts& facts,
                                                const Config& config, const KeyTable& anchors, HttpClient& http);

  BootControl& boot() override { return *this; }
  std::uint64_t slot_bytes() const override { return child_.slot_bytes; }
  std::uint32_t watchdog_ms() const override { return child_.watchdog_ms; }
  Status StartSealing(const action::Seal& seal) override;
  void StopSealing() override;
  void StartTests() override;
  Status Feed() override { return {}; }  // the child feeds its own
  Status Reset() override;

  void AddTo(std::vector<pollfd>& fds) const override { link_->AddTo(fds); }
  std::uint64_t NextMs() const override;
  std::vector<Happening> Work(std::uint64_t now_ms) override;
  std::optional<Error> gone() const override { return link_->failed(); }

 private:
  ChildHardware(std::unique_ptr<ChildLink> link, const Config& config, const KeyTable& anchors, HttpClient& http);

  // BootControl: the child's own record.
  const BootFacts& facts() const override { return boot_; }
  Status SetPending(std::uint64_t job, const Digest& manifest_digest) override;
  Status Confirm() override;
  Status FailTrial(Reason reason, std::string_view detail) override;
  Status SettleRollback(std::uint32_t trial, std::uint64_t job) override;
  Status SettleEmergency(std::uint16_t count) override;
  Status RaiseFloor(std::uint32_t value) override;
  Result<FileFlash*> StagingSlot() override;

  Status Change(const serial::Request& request);
  Status Adopt(const Result<serial::Facts>& facts);
  void AskFacts();
  void TakeFacts(const Result<serial::Facts>& facts);
  void TakeTellings();
  void WorkTests();
  void WorkSealing();
  Status PushSpool();

  std::unique_ptr<ChildLink> link_;
  const KeyTable& anchors_;
  serial::Facts child_;
  BootFacts boot_;
  std::unique_ptr<FileFlash> spool_;
  Sealer sealer_;  // of the spool; then the push
  SlotPush push_;
  action::Seal seal_;
  NonceRelay relay_;
  std::vector<Happening> happened_;
  std::uint64_t facts_ms_ = 0;  // ask for facts then
  bool facts_asked_ = false;
  bool testing_ = false;  // the outcome of its self-tests is waited for
};

MakeHardware BehindSerial(std::unique_ptr<ChildLink> link, const serial::Facts& facts);

}  // namespace pawl::agent
