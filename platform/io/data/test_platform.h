// A platform's database with its own clock in a folder of its own, and devices that talk to it, for the tests.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "platform/io/data/artifacts.h"
#include "platform/io/data/audit.h"
#include "platform/io/data/campaigns.h"
#include "platform/io/data/classes.h"
#include "platform/io/data/database.h"
#include "platform/io/data/devices.h"
#include "platform/io/data/events.h"
#include "platform/io/data/jobs.h"
#include "platform/io/data/releases.h"
#include "platform/io/data/reports.h"

namespace pawl::data::testing {

inline constexpr std::int64_t kStartMs = 1'800'000'000'000;
inline const Actor kOperator{"olivia"};

template <std::size_t N>
std::array<std::uint8_t, N> Filled(std::uint8_t with) {
  std::array<std::uint8_t, N> bytes{};
  bytes.fill(with);
  return bytes;
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = ::testing::TempDir() + "pawl-data-XXXXXX";
    path_ = ::mkdtemp(path.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// The value, or a failed test.
template <class T>
T Must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << Text(result.error().reason) << ": " << result.error().detail.view();
    if constexpr (std::is_default_constructible_v<T>) return T{};
    std::abort();
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}
template <class T>
Reason ReasonOf(const Result<T>& result) {
  return result ? Reason::kNone : result.error().reason;
}
template <class T>
std::string DetailOf(const Result<T>& result) {
  return result ? std::string() : std::string(result.error().detail.view());
}

class Platform {
 public:
  Platform() : database_(Must(Database::Open(folder_ / "pawl.db", [this] { return now_ms.load(); }))) {}

  Database& database() { return *database_; }
  std::string path() const { return folder_ / "pawl.db"; }
  void Reopen() {
    database_.reset();
    database_ = Must(Database::Open(path(), [this] { return now_ms.load(); }));
  }
  void Pass(std::int64_t seconds) { now_ms += seconds * 1000; }

  template <class Fn>
  auto Write(Fn fn) {
    return database_->Write(fn);
  }
  template <class Fn>
  auto Do(Fn fn) {
    return Must(database_->Write(fn));
  }

  // --- What most tests need first ---

  Class MakeClass(const std::string& name = "virtual-1") {
    const ClassSpec spec{name, "pawl.example", 1 << 20, 10, 120, 900, 0, 0};
    return Do([&](sql::Tx& tx) { return CreateClass(tx, kOperator, spec, Filled<4>(1), {Filled<8>(2)}); });
  }
  // `seed` makes its image and manifest digests.
  Release MakeRelease(std::uint8_t seed = 1, const std::string& class_name = "virtual-1") {
    return Do([&](sql::Tx& tx) -> Result<Release> {
      PAWL_TRY(AddArtifact(tx, kOperator, ImageOf(seed), 1000, "fw.bin"));
      const ReleaseSpec spec{class_name, ImageOf(seed), std::to_string(seed) + ".0.0", 0, 0, {}, {}};
      PAWL_ASSIGN(const Release release, CreateRelease(tx, kOperator, spec));
      PAWL_TRY(PublishRelease(tx, release.id, {ManifestOf(seed), {0xd8, 0x6b, seed}, {Filled<8>(2)}}));
      return GetRelease(tx, release.id);
    });
  }
  static Digest ImageOf(std::uint8_t seed) { return Filled<32>(seed); }
  static Digest ManifestOf(std::uint8_t seed) { return Filled<32>(static_cast<std::uint8_t>(seed + 100)); }
  static Digest SpkiOf(const std::string& id) { return Filled<32>(static_cast<std::uint8_t>(id.back())); }

  std::string MakeClaim(const std::string& id, const std::string& class_name = "virtual-1") {
    return Do([&](sql::Tx& tx) { return CreateDevice(tx, kOperator, {id, class_name, 0, {}}); }).claim.token;
  }
  void MakeActive(const std::string& id, const std::string& class_name = "virtual-1") {
    const std::string token = MakeClaim(id, class_name);
    Do([&](sql::Tx& tx) -> Status {
      PAWL_TRY(BeginEnrolment(tx, id, token, SpkiOf(id)));
      PAWL_TRY(FinishEnrolment(tx, id, SpkiOf(id), "PEM of " + id, now_ms + 1000));
      return Contact(tx, id, SpkiOf(id));
    });
  }
  Campaign Start(const std::vector<std::string>& devices, const Release& release) {
    return Do([&](sql::Tx& tx) { return CreateCampaign(tx, kOperator, {"roll out", release.id, devices, kJobLifeS}); });
  }

  std::vector<Event> Events(EventKind kind) {
    return Do([&](sql::Tx& tx) { return ListEvents(tx, {0, {}, {}, kind, kMaxPage}); });
  }
  Job JobOf(const std::string& device) {
    const auto jobs = Do([&](sql::Tx& tx) { return ListJobs(tx, {.device = device}, {}); });
    EXPECT_FALSE(jobs.items.empty()) << device << " has no job";
    Job newest;
    for (const Job& job : jobs.items) {
      if (job.n > newest.n) newest = job;
    }
    return newest;
  }
  Device DeviceOf(const std::string& id) {
    return Do([&](sql::Tx& tx) { return GetDevice(tx, id); });
  }
  Campaign CampaignOf(const std::string& id) {
    return Do([&](sql::Tx& tx) { return GetCampaign(tx, id); });
  }
  std::vector<Outgoing> Outbox() {
    return Do([&](sql::Tx& tx) { return TakeOutgoing(tx, options, 100); });
  }

  std::atomic<std::int64_t> now_ms = kStartMs;
  ChannelOptions options{{"https://p.example/artifacts/v1"}, 120, 30};

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Database> database_;
};

// A device's side: its ledger, and the messages that it sends.
class FakeDevice {
 public:
  FakeDevice(Platform& platform, std::string id, std::uint8_t seed = 9) : platform_(platform), id_(std::move(id)) {
    state.journal = Filled<16>(seed);
    state.rev = 1;
    state.running = {{"main", "A", Filled<32>(0xee), Filled<32>(0xef), "0.9.0", 0, wire::Mode::kNormal}};
    boot = Filled<16>(seed);
  }

  std::optional<wire::Welcome> Hello() {
    wire::Hello hello;
    hello.boot = boot;
    RandomBytes(hello.nonce);
    hello.state = state;
    const Class cls = platform_.Do([&](sql::Tx& tx) { return GetClass(tx, class_name); });
    hello.vendor = cls.vendor_id;
    hello.cls = cls.class_id;
    hello.agent = "0.1.0";
    hello.encodings = {"raw"};
    hello.attributes = {{"site", "north"}};
    last_hello = hello;
    return Send(hello);
  }
  std::optional<wire::Welcome> Send(const wire::Hello& hello) {
    auto welcome = platform_.Do([&](sql::Tx& tx) { return HandleHello(tx, id_, hello, platform_.options); });
    if (welcome) session = welcome->session;
    return welcome;
  }
  std::vector<wire::Down> Tell() {
    return platform_.Do([&](sql::Tx& tx) { return HandleState(tx, id_, {session, state}, platform_.options); });
  }
  // The next snapshot, told; its ack.
  std::optional<wire::Ack> Move(std::uint64_t n, std::uint8_t release_seed, wire::Phase phase,
                                Reason reason = Reason::kNone, const std::string& detail = {}) {
    ++state.rev;
    if (phase == wire::Phase::kCommitted) ++state.trial;
    state.job = wire::JobState{n, Platform::ManifestOf(release_seed), phase, reason, detail, {{phase, 1}}};
    if (phase == wire::Phase::kTrial || phase == wire::Phase::kSucceeded) {
      state.running.front() = {"main",
                               "B",
                               Platform::ImageOf(release_seed),
                               Platform::ManifestOf(release_seed),
                               std::to_string(release_seed) + ".0.0",
                               release_seed,
                               phase == wire::Phase::kTrial ? wire::Mode::kTrial : wire::Mode::kNormal};
    }
    if (phase == wire::Phase::kRolledBack) {
      state.owed = wire::Owed{state.trial, n, Platform::ManifestOf(release_seed), reason, detail};
    }
    const auto answers = Tell();
    if (answers.empty()) return std::nullopt;
    const auto* ack = std::get_if<wire::Ack>(&answers.front());
    return ack == nullptr ? std::nullopt : std::optional(*ack);
  }
  ReadyAnswer Ready(std::uint64_t n, std::uint8_t release_seed, std::uint8_t nonce = 1) {
    const wire::Ready ready{session, n, Platform::ManifestOf(release_seed), Filled<16>(nonce)};
    return platform_.Do([&](sql::Tx& tx) { return HandleReady(tx, id_, ready, platform_.options); });
  }
  void Disconnect() {
    platform_.Do([&](sql::Tx& tx) { return Disconnected(tx, id_); });
  }

  wire::State state;
  wire::BootId boot{};
  wire::Session session = 0;
  wire::Hello last_hello;
  std::string class_name = "virtual-1";

 private:
  Platform& platform_;
  std::string id_;
};

}  // namespace pawl::data::testing
