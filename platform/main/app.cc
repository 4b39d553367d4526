#include "platform/main/app.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>

#include "base/version.h"
#include "platform/io/channel/channel.h"
#include "platform/io/channel/child.h"
#include "platform/io/data/artifacts.h"
#include "platform/io/data/tokens.h"
#include "platform/io/http/api.h"
#include "platform/io/http/server.h"
#include "platform/io/release/release_worker.h"
#include "platform/io/store/directory/directory_store.h"
#include "platform/main/files.h"
#include "platform/main/log.h"
#include "platform/main/network.h"
#include "platform/main/notify.h"
#include "platform/main/samples.h"
#include "platform/main/server_certificate.h"
#include "platform/main/signer_watch.h"
#include "trust/sign/client.h"
#include "trust/verify/key_table.h"

namespace pawl::platform {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr char kDefaultMosquitto[] = "/usr/sbin/mosquitto";
constexpr seconds kCertificateCheckEvery{3600};
constexpr seconds kTick{1};
constexpr seconds kTellWaitEvery{5};
constexpr std::uint64_t kDayS = 86400;

std::int64_t NowS() { return static_cast<std::int64_t>(std::time(nullptr)); }

// --- Signals ---

// The next signal within `time`: SIGTERM, SIGINT or SIGHUP; 0: none.
int WaitSignal(std::chrono::milliseconds time) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  const timespec timeout{static_cast<time_t>(time.count() / 1000), static_cast<long>(time.count() % 1000 * 1'000'000)};
  const int number = sigtimedwait(&signals, nullptr, &timeout);
  return number < 0 ? 0 : number;
}
bool IsStop(int number) { return number == SIGTERM || number == SIGINT; }

}  // namespace

class App {
 public:
  App(const Config& config, const Reload& reload) : config_(config), reload_(reload) {}
  ~App() { Stop(); }
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  Status Start();
  void Serve();

 private:
  std::string Path(std::string_view name) const { return config_.data + "/" + std::string(name); }

  Status MakeFolders();
  Status StartSigner();
  Status WaitForSigner();
  Status FetchTrust();
  Status EnsureServerCertificate();
  Status LoadTrust();
  Status OpenStorage();
  Status SweepArtifacts();
  Status StartChannel();
  Result<ChannelConfig> MakeChannelConfig() const;
  Result<EmbeddedBroker> MakeEmbeddedBroker() const;
  Status EnsureAdminToken();
  Status StartServer();
  Result<std::shared_ptr<const http::TlsContext>> MakeTls(bool for_devices) const;
  void Announce(bool first_start) const;

  void RenewCertificate();
  void ReloadAll();
  Status ReplaceTls();
  http::Health MakeHealth() const;
  std::vector<http::Sample> MakeSamples() const;
  void Stop();

  ServerCertificateConfig server_certificate_;
  Config config_;
  const Reload& reload_;
  bool first_start_ = false;
  std::string ca_pem_;

  OwnedFd lock_;
  std::unique_ptr<Child> signer_;
  std::optional<SignerClient> client_;
  std::unique_ptr<store::ArtifactStore> store_;
  std::unique_ptr<data::Database> database_;
  http::Metrics metrics_;
  std::unique_ptr<http::Api> api_;
  http::Router operator_router_;
  http::Router device_router_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<ReleaseWorker> worker_;
  std::unique_ptr<SignerWatch> watch_;
  std::unique_ptr<Channel> channel_;
};

Status App::Start() {
  PAWL_TRY(MakeFolders());
  PAWL_TRY(CheckPort(config_.api_listen, "api_listen"));
  PAWL_TRY(CheckPort(config_.device_listen, "device_listen"));
  if (config_.broker.empty()) PAWL_TRY(CheckPort(config_.mqtt_listen, "mqtt_listen"));
  PAWL_TRY(StartSigner());
  PAWL_TRY(OpenStorage());
  PAWL_TRY(FetchTrust());
  PAWL_TRY(LoadTrust());
  PAWL_TRY(EnsureServerCertificate());
  PAWL_TRY(StartServer());
  PAWL_TRY(StartChannel());
  PAWL_TRY(EnsureAdminToken());
  PAWL_TRY(SweepArtifacts());
  worker_->Start();
  watch_->Start();
  server_->Start();
  Announce(first_start_);
  return {};
}

Status App::MakeFolders() {
  PAWL_TRY(MakePrivateFolder(config_.data));
  PAWL_ASSIGN(lock_, LockDataDirectory(config_.data));
  for (const char* name : {"artifacts", "run", "hsm"}) PAWL_TRY(MakePrivateFolder(Path(name)));
  return {};
}

// --- The signer ---

Status App::StartSigner() {
  if (!config_.signer.empty()) {
    client_.emplace(config_.signer);
    return {};
  }
  ChildConfig child;
  child.name = "signer";
  std::string program = config_.signer_program;
  if (program.empty()) {
    PAWL_ASSIGN(program, FindBeside("pawl-signer"));
  }
  const std::string socket = Path("run/signer.sock");
  child.command = {program,
                   "--dir",
                   Path("hsm"),
                   "--socket",
                   socket,
                   "--artifacts",
                   Path("artifacts"),
                   "--offline-keys",
                   Path("offline-keys"),
                   "--anchors",
                   Path("anchors.cbor")};
  if (!config_.signer_config.empty()) child.command.insert(child.command.end(), {"--config", config_.signer_config});
  for (const std::string& name : FurtherNames(config_))
    child.command.insert(child.command.end(), {"--server-name", name});
  child.is_ready = [socket] { return SignerClient(socket, std::chrono::milliseconds(500)).Status().has_value(); };
  child.on_line = [](std::string_view line) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  };
  child.on_change = [](bool ready, const std::string& what) {
    Log(ready ? Level::kInfo : Level::kWarning, "signer", "msg=" + Quoted(ready ? "ready" : what));
  };
  signer_ = std::make_unique<Child>(std::move(child));
  signer_->Start();
  client_.emplace(socket);
  return {};
}

// Until its HSM answers. Errors: unavailable, when we are told to stop meanwhile.
Status App::WaitForSigner() {
  auto tell_at = steady_clock::now() + kTellWaitEvery;
  for (;;) {
    const auto status = client_->Status();
    if (status && status->hsm_ready) return {};
    if (steady_clock::now() >= tell_at) {
      const std::string why = status ? status->hsm_problem : std::string(status.error().detail.view());
      Log(Level::kWarning, "start", "msg=\"the first start waits for the signer and its HSM\" why=" + Quoted(why));
      tell_at = steady_clock::now() + kTellWaitEvery;
    }
    if (IsStop(WaitSignal(std::chrono::milliseconds(100))))
      return Fail(Reason::kUnavailable, "stopped while waiting for the signer");
  }
}

// The CAs' certificates and the anchors, once: each file is written whole, so a cut-off start goes on here.
Status App::FetchTrust() {
  if (FileExists(Path("ca.pem")) && FileExists(Path("device-ca.pem")) && FileExists(Path("anchors.cbor"))) return {};
  first_start_ = true;
  PAWL_TRY(WaitForSigner());
  PAWL_ASSIGN(const CaCertificates cas, client_->GetCaCertificates());
  PAWL_ASSIGN(const SignerStatus status, client_->Status());
  PAWL_TRY(WriteFileDurably(Path("device-ca.pem"), cas.device_ca_pem, 0644));
  if (!FileExists(Path("anchors.cbor"))) PAWL_TRY(WriteFileDurably(Path("anchors.cbor"), AsText(status.anchors), 0644));
  return WriteFileDurably(Path("ca.pem"), cas.server_ca_pem, 0644);
}

Status App::EnsureServerCertificate() {
  server_certificate_ = {Path("server.key"),
                         Path("server.pem"),
                         {"localhost"},
                         {"127.0.0.1", "::1"},
                         config_.server_certificate_days * kDayS};
  for (const std::string& name : FurtherNames(config_)) {
    (IsIpAddress(name) ? server_certificate_.addresses : server_certificate_.dns_names).push_back(name);
  }
  const std::string why = WhyNewCertificate(server_certificate_, ca_pem_, NowS());
  if (why.empty()) return {};
  const bool usable = IsUsable(server_certificate_, ca_pem_, NowS());
  if (!usable) PAWL_TRY(WaitForSigner());
  const Status made = NewCertificate(server_certificate_, ca_pem_, NowS(), [&](const ServerCertificateFacts& facts) {
    return client_->IssueServerCertificate(facts);
  });
  if (made) Log(Level::kInfo, "tls", "msg=\"new server certificate\" why=" + Quoted(why));
  if (made || !usable) return made;
  Log(Level::kWarning, "tls",
      "msg=\"the old server certificate is used on\" why=" + Quoted(why) + " " + Fields(made.error()));
  return {};
}

// --- Storage ---

Status App::OpenStorage() {
  PAWL_ASSIGN(store_, store::OpenDirectoryStore(Path("artifacts"), config_.artifact_bytes_max));
  PAWL_ASSIGN(database_, data::Database::Open(Path("pawl.db")));
  return {};
}

Status App::LoadTrust() {
  http::ApiConfig config;
  config.artifact_bytes_max = config_.artifact_bytes_max;
  config.device_certificate_life_s = config_.device_certificate_days * kDayS;
  config.enrolments_per_s = static_cast<double>(config_.enrolments_per_s);
  api_.reset(new http::Api{.database = *database_, .store = *store_, .metrics = metrics_, .config = config});
  PAWL_ASSIGN(ca_pem_, ReadFile(Path("ca.pem")));
  PAWL_ASSIGN(api_->device_ca_pem, ReadFile(Path("device-ca.pem")));
  PAWL_ASSIGN(const std::string anchors, ReadFile(Path("anchors.cbor")));
  const auto table = DecodeAnchors(AsBytes(anchors));
  if (!table)
    return Fail(Reason::kCorrupt,
                Path("anchors.cbor") + ": " + std::string(table.error().detail.view()) + "; restore it from a backup");
  const ByteView bytes = AsBytes(anchors);
  api_->anchors.cbor.assign(bytes.begin(), bytes.end());
  for (const Key& key : table->keys) {
    if (key.has(Role::kImage)) api_->anchors.image_keys.push_back(key.kid);
  }
  return {};
}

// Bytes whose row was never made, or was removed: an upload or a removal that a crash cut off.
Status App::SweepArtifacts() {
  PAWL_ASSIGN(const auto stored, store_->List());
  for (const Digest& digest : stored) {
    const auto row = database_->Read([&](sql::Tx& tx) { return data::GetArtifact(tx, digest); });
    if (row || row.error().reason != Reason::kNotFound) continue;
    PAWL_TRY(store_->Remove(digest));
    Log(Level::kInfo, "store", "msg=\"removed an artifact that no row names\" digest=" + data::Hex(digest));
  }
  return {};
}

// --- Command channel ---

Result<EmbeddedBroker> App::MakeEmbeddedBroker() const {
  EmbeddedBroker broker;
  broker.directory = Path("broker");
  broker.address = config_.mqtt_listen.host;
  broker.port = config_.mqtt_listen.port;
  broker.program = config_.mosquitto.empty() ? kDefaultMosquitto : config_.mosquitto;
  broker.plugin = config_.mosquitto_plugin;
  if (broker.plugin.empty()) {
    PAWL_ASSIGN(broker.plugin, FindBeside("pawl-mosquitto.so"));
  }
  if (!config_.mosquitto_user.empty()) broker.user = config_.mosquitto_user;
  broker.server_certificate = Path("server.pem");
  broker.server_key = Path("server.key");
  broker.device_ca = Path("device-ca.pem");
  return broker;
}

Result<ChannelConfig> App::MakeChannelConfig() const {
  ChannelConfig channel;
  channel.options.permit_life_s = static_cast<std::uint32_t>(config_.permit_life_s);
  channel.options.acknowledge_within_s = static_cast<std::uint32_t>(config_.acknowledge_within_s);
  std::vector<std::string> urls = config_.device_urls;
  if (urls.empty()) urls = {"https://" + config_.device_listen.text()};
  for (const std::string& url : urls) channel.options.source_bases.push_back(url + "/artifacts/v1");
  if (config_.broker.empty()) {
    PAWL_ASSIGN(channel.embedded, MakeEmbeddedBroker());
    return channel;
  }
  PAWL_ASSIGN(const auto where, ParseBroker(config_.broker));
  channel.external =
      ExternalBroker{where.first,        where.second,           config_.broker_ca, config_.broker_certificate,
                     config_.broker_key, config_.broker_username};
  return channel;
}

Status App::StartChannel() {
  PAWL_ASSIGN(ChannelConfig channel, MakeChannelConfig());
  const auto log = [](LogLevel level, std::string_view line) {
    constexpr Level kLevels[] = {Level::kInfo, Level::kWarning, Level::kError};
    Log(kLevels[static_cast<std::size_t>(level)], "channel", "msg=" + Quoted(line));
  };
  channel_ = std::make_unique<Channel>(
      std::move(channel), *database_, [&](const Permit& permit) { return client_->SignPermit(permit); }, log);
  return channel_->Start();
}

// --- Operators ---

// The file is durable before the token's row is, so that a crash between the two leaves nothing that cannot be made
// anew.
Status App::EnsureAdminToken() {
  const std::string path = Path("admin-token");
  return database_->Write([&](sql::Tx& tx) -> Status {
    PAWL_ASSIGN(const auto issued, data::EnsureAdminToken(tx));
    if (!issued) return {};
    first_start_ = true;
    return WriteFileDurably(path, issued->text + "\n", 0600);
  });
}

// --- HTTP ---

Result<std::shared_ptr<const http::TlsContext>> App::MakeTls(bool for_devices) const {
  return http::TlsContext::Make(
      {Path("server.pem"), Path("server.key"), for_devices ? Path("device-ca.pem") : std::string()});
}

Status App::StartServer() {
  api_->issue = [&](const DeviceCertificateFacts& facts) { return client_->IssueDeviceCertificate(facts); };
  api_->health = [&] { return MakeHealth(); };
  api_->samples = [&] { return MakeSamples(); };
  http::AddOperatorRoutes(operator_router_, *api_);
  http::AddDeviceRoutes(device_router_, *api_);

  http::ServerLimits limits;
  limits.workers = config_.workers;
  limits.upload_workers = config_.uploads_max;
  limits.connections = config_.connections_max;
  limits.connections_per_peer = config_.connections_per_address_max;
  limits.event_streams = config_.event_streams_max;
  server_ = std::make_unique<http::Server>(limits, [&](const http::Exchange& exchange) { metrics_.Observe(exchange); });
  PAWL_ASSIGN(auto operator_tls, MakeTls(false));
  PAWL_ASSIGN(auto device_tls, MakeTls(true));
  PAWL_TRY(server_->Listen({"api_listen", config_.api_listen.host, config_.api_listen.port, &operator_router_},
                           std::move(operator_tls)));
  PAWL_TRY(server_->Listen({"device_listen", config_.device_listen.host, config_.device_listen.port, &device_router_},
                           std::move(device_tls)));

  worker_ = std::make_unique<ReleaseWorker>(
      ReleaseWorkerConfig{.artifact_root = Path("artifacts")}, *database_, *store_,
      [&](const ReleaseFacts& facts, const StoredArtifact& artifact) { return client_->SignManifest(facts, artifact); },
      [](std::string_view line) { Log(Level::kInfo, "release", line); });
  watch_ = std::make_unique<SignerWatch>(*database_, [&] { return client_->Status(); });
  database_->OnCommit([&] {
    server_->Wake();
    worker_->Wake();
  });
  return {};
}

http::Health App::MakeHealth() const {
  http::Health health;
  const bool database = database_->Healthy();
  health.database = {database, database ? "answers" : "the last commit failed: see the log"};
  const ChannelHealth channel = channel_->health();
  health.broker = {channel.ok, channel.ok                ? "connected"
                               : channel.problem.empty() ? "not connected yet"
                                                         : channel.problem};
  const SignerWatch::State signer = watch_->state();
  health.signer = {signer.ok, signer.text};
  const Status store = store_->Check();
  health.store = {
      store.has_value(),
      store ? "writable" : std::string(Text(store.error().reason)) + ": " + std::string(store.error().detail.view())};
  return health;
}

std::vector<http::Sample> App::MakeSamples() const {
  Children children;
  children.broker_restarts = channel_->health().broker_restarts;
  children.signer_restarts = signer_ ? signer_->health().restarts : 0;
  children.signer_operations = watch_->state().operations;
  return SamplesOf(server_->counters(), channel_->metrics(), children);
}

void App::Announce(bool first_start) const {
  const std::string url = "https://" + config_.api_listen.text();
  Log(Level::kInfo, "start",
      "msg=ready version=" + std::string(kVersion) + " data=" + Quoted(config_.data) + " api=" + url +
          " devices=https://" + config_.device_listen.text() +
          " mqtt=" + (config_.broker.empty() ? "mqtts://" + config_.mqtt_listen.text() : config_.broker));
  if (!first_start) return;
  std::printf(
      "pawld is set up in %s.\n"
      "The first operator token, with every right, is in %s.\n"
      "Log in with:\n"
      "  pawl login --url %s --ca %s --token-file %s\n"
      "Move the keys in %s to offline storage: they must not stay here.\n",
      config_.data.c_str(), Path("admin-token").c_str(), url.c_str(), Path("ca.pem").c_str(),
      Path("admin-token").c_str(), Path("offline-keys").c_str());
  std::fflush(stdout);
}

// --- While it runs ---

void App::Serve() {
  Notify("READY=1");
  const auto watchdog = WatchdogPeriod();
  auto certificate_at = steady_clock::now() + kCertificateCheckEvery;
  const auto tick = watchdog ? std::min<std::chrono::microseconds>(*watchdog, kTick) : std::chrono::microseconds(kTick);
  for (;;) {
    const int number = WaitSignal(std::chrono::ceil<std::chrono::milliseconds>(tick));
    if (IsStop(number)) break;
    if (number == SIGHUP) ReloadAll();
    if (watchdog && database_->Healthy()) Notify("WATCHDOG=1");
    if (steady_clock::now() < certificate_at) continue;
    RenewCertificate();
    certificate_at = steady_clock::now() + kCertificateCheckEvery;
  }
  Notify("STOPPING=1");
  Log(Level::kInfo, "stop", "msg=\"stopping\"");
}

void App::RenewCertificate() {
  if (WhyNewCertificate(server_certificate_, ca_pem_, NowS()).empty()) return;
  const Status renewed = NewCertificate(server_certificate_, ca_pem_, NowS(), [&](const ServerCertificateFacts& facts) {
    return client_->IssueServerCertificate(facts);
  });
  const Status replaced = renewed ? ReplaceTls() : renewed;
  if (replaced) {
    Log(Level::kInfo, "tls", "msg=\"the server certificate was renewed; the broker takes it at the next start\"");
  } else {
    Log(Level::kWarning, "tls",
        "msg=\"the server certificate was not renewed; trying again in an hour\" " + Fields(replaced.error()));
  }
}

Status App::ReplaceTls() {
  PAWL_ASSIGN(auto operator_tls, MakeTls(false));
  PAWL_ASSIGN(auto device_tls, MakeTls(true));
  server_->Renew("api_listen", std::move(operator_tls));
  server_->Renew("device_listen", std::move(device_tls));
  return {};
}

// What can change while it runs: the log level and the certificate files.
void App::ReloadAll() {
  const auto config = reload_();
  if (config) SetLogLevel(config->log_level);
  const Status replaced = ReplaceTls();
  if (config && replaced) {
    Log(Level::kInfo, "reload", "msg=\"reloaded log level and certificates; other settings need a restart\"");
  } else {
    Log(Level::kError, "reload", "msg=\"not reloaded\" " + Fields(config ? replaced.error() : config.error()));
  }
}

void App::Stop() {
  if (server_) server_->Stop();
  if (worker_) worker_->Stop();
  if (watch_) watch_->Stop();
  if (channel_) channel_->Stop();
  if (signer_) signer_->Stop();
  if (database_) database_->Close();
}

Status Run(const Config& config, const Reload& reload) {
  App app(config, reload);
  PAWL_TRY(app.Start());
  app.Serve();
  return {};
}

}  // namespace pawl::platform
