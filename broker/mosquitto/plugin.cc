// pawl-mosquitto.so: puts the registry's say before each CONNACK of Mosquitto 2.0. Options: plugin_opt_view <path>,
// plugin_opt_socket <the Unix listener's path, as in its own line>.
//
// Glue only: it turns Mosquitto's events into the gate's questions. A bug or lack of memory ends the broker, which
// pawld starts again: nobody is admitted by accident.
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "base/text.h"
#include "broker/link.h"
#include "broker/mosquitto/gate.h"

namespace {

using pawl::broker::Access;
using pawl::broker::BootTimeMs;
using pawl::broker::Certificate;
using pawl::broker::Gate;
using pawl::broker::Peer;

constexpr std::uint64_t kTickMs = 20;
constexpr std::uint64_t kMaxLogLinesPerSecond = 10;

std::string_view OrEmpty(const char* text) { return text == nullptr ? std::string_view() : std::string_view(text); }

// Names come from strangers: only harmless characters, and not too many, reach the log.
std::string ForLog(std::string_view text) {
  std::string safe(text.substr(0, 64));
  for (char& c : safe) {
    if (c < '!' || c > '~') c = '?';
  }
  return safe;
}

// The subject's only CN; nothing if there are none, several, or one with a NUL in it.
std::optional<std::string> CommonName(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, index) >= 0) return std::nullopt;
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
  const auto size = static_cast<std::size_t>(ASN1_STRING_length(value));
  const std::string name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)), size);
  if (name.contains('\0')) return std::nullopt;
  return name;
}

std::optional<Certificate> CertificateOf(const mosquitto* client) {
  const std::unique_ptr<X509, decltype(&X509_free)> x509(static_cast<X509*>(mosquitto_client_certificate(client)),
                                                         X509_free);
  if (!x509) return std::nullopt;
  const auto name = CommonName(x509.get());
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509.get()), &der);
  if (size <= 0) return std::nullopt;
  Certificate certificate{.common_name = name.value_or("")};
  SHA256(der, static_cast<std::size_t>(size), certificate.pin.data());
  OPENSSL_free(der);
  return certificate;
}

class Plugin {
 public:
  Plugin(mosquitto_plugin_id_t* id, std::string view_path, std::string socket)
      : id_(id), socket_(std::move(socket)), gate_(std::move(view_path)) {}

  int Register() {
    for (const auto& [event, callback] : kCallbacks) {
      if (const int rc = mosquitto_callback_register(id_, event, callback, nullptr, this); rc != MOSQ_ERR_SUCCESS) {
        return rc;
      }
    }
    return MOSQ_ERR_SUCCESS;
  }
  void Unregister() {
    for (const auto& [event, callback] : kCallbacks) mosquitto_callback_unregister(id_, event, callback, nullptr);
  }

 private:
  static Plugin& Of(void* self) { return *static_cast<Plugin*>(self); }

  static int BasicAuth(int /*event*/, void* data, void* self) noexcept {
    return Of(self).Connect(*static_cast<mosquitto_evt_basic_auth*>(data));
  }
  static int AclCheck(int /*event*/, void* data, void* self) noexcept {
    return Of(self).Check(*static_cast<mosquitto_evt_acl_check*>(data));
  }
  static int Disconnected(int /*event*/, void* data, void* self) noexcept {
    return Of(self).Disconnect(*static_cast<mosquitto_evt_disconnect*>(data));
  }
  static int Tick(int /*event*/, void* /*data*/, void* self) noexcept { return Of(self).Tick(); }

  static constexpr std::array<std::pair<int, MOSQ_FUNC_generic_callback>, 4> kCallbacks = {{
      {MOSQ_EVT_BASIC_AUTH, BasicAuth},
      {MOSQ_EVT_ACL_CHECK, AclCheck},
      {MOSQ_EVT_DISCONNECT, Disconnected},
      {MOSQ_EVT_TICK, Tick},
  }};

  int Connect(const mosquitto_evt_basic_auth& event) {
    const Peer peer{.client_id = OrEmpty(mosquitto_client_id(event.client)),
                    .username = OrEmpty(event.username),
                    // Mosquitto gives the listener's path for a peer on a Unix socket, an IP address for any other.
                    .local_socket = OrEmpty(mosquitto_client_address(event.client)) == socket_,
                    .certificate = CertificateOf(event.client)};
    const pawl::Status admitted = gate_.Connect(event.client, peer, BootTimeMs());
    if (!admitted) {
      Log("refused " + ForLog(peer.username) + ": " + std::string(admitted.error().detail.view()));
      return MOSQ_ERR_AUTH;
    }
    if (!peer.local_socket) PublishLink(peer.username, PinText(peer.certificate->pin));
    return MOSQ_ERR_SUCCESS;
  }

  int Check(const mosquitto_evt_acl_check& event) {
    const std::string_view username = OrEmpty(mosquitto_client_username(event.client));
    const std::string_view topic = OrEmpty(event.topic);
    if (event.access == MOSQ_ACL_UNSUBSCRIBE) return MOSQ_ERR_SUCCESS;
    const Access access = event.access == MOSQ_ACL_WRITE  ? Access::kPublish
                          : event.access == MOSQ_ACL_READ ? Access::kReceive
                                                          : Access::kSubscribe;
    // Nothing is retained but the links, which are ours.
    const bool retains = access == Access::kPublish && event.retain;
    if (!retains && gate_.MayAccess(username, topic, access, BootTimeMs())) return MOSQ_ERR_SUCCESS;
    if (access != Access::kReceive) {
      Log("denied " + ForLog(username) + (access == Access::kPublish ? " to publish to " : " to subscribe to ") +
          ForLog(topic));
    }
    return MOSQ_ERR_ACL_DENIED;
  }

  int Disconnect(const mosquitto_evt_disconnect& event) {
    const std::string_view username = OrEmpty(mosquitto_client_username(event.client));
    if (gate_.Disconnect(event.client, username)) PublishLink(username, "");
    return MOSQ_ERR_SUCCESS;
  }

  int Tick() {
    const std::uint64_t now_ms = BootTimeMs();
    if (now_ms - ticked_at_ms_ < kTickMs) return MOSQ_ERR_SUCCESS;
    ticked_at_ms_ = now_ms;
    for (const std::string& id : gate_.Tick(now_ms)) {
      Log("throws off " + id + ": the registry no longer admits it");
      mosquitto_kick_client_by_clientid(id.c_str(), false);
    }
    if (gate_.problem() != told_problem_) {
      told_problem_ = gate_.problem();
      Log(told_problem_.empty() ? "the registry's view is there" : "admits nobody: " + told_problem_);
    }
    return MOSQ_ERR_SUCCESS;
  }

  static std::string PinText(const pawl::Digest& pin) {
    std::array<char, 64> digits{};
    return std::string(pawl::HexEncode(pin, digits));
  }

  static void PublishLink(std::string_view device, std::string_view payload) {
    const std::string topic = pawl::broker::LinkTopic(pawl::wire::kDefaultTenant, device);
    mosquitto_broker_publish_copy(nullptr, topic.c_str(), static_cast<int>(payload.size()), payload.data(), 1, true,
                                  nullptr);
  }

  // Strangers cause these lines: so many a second and no more.
  void Log(const std::string& line) {
    const std::uint64_t second = BootTimeMs() / 1000;
    if (second != log_second_) lines_in_second_ = 0;
    log_second_ = second;
    if (++lines_in_second_ <= kMaxLogLinesPerSecond) mosquitto_log_printf(MOSQ_LOG_NOTICE, "pawl: %s", line.c_str());
  }

  mosquitto_plugin_id_t* id_;
  std::string socket_;
  Gate gate_;
  std::uint64_t ticked_at_ms_ = 0;
  std::string told_problem_;
  std::uint64_t log_second_ = 0;
  std::uint64_t lines_in_second_ = 0;
};

}  // namespace

#define PAWL_EXPORT extern "C" __attribute__((visibility("default")))

PAWL_EXPORT int mosquitto_plugin_version(int count, const int* versions) {
  for (int i = 0; i < count; ++i) {
    if (versions[i] == MOSQ_PLUGIN_VERSION) return MOSQ_PLUGIN_VERSION;
  }
  return -1;
}

PAWL_EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t* id, void** self, mosquitto_opt* options, int count) {
  std::string view, socket;
  for (int i = 0; i < count; ++i) {
    if (OrEmpty(options[i].key) == "view") view = OrEmpty(options[i].value);
    if (OrEmpty(options[i].key) == "socket") socket = OrEmpty(options[i].value);
  }
  if (view.empty() || !socket.contains('/')) {
    mosquitto_log_printf(MOSQ_LOG_ERR, "pawl: plugin_opt_view and plugin_opt_socket must be paths");
    return MOSQ_ERR_INVAL;
  }
  auto plugin = std::make_unique<Plugin>(id, std::move(view), std::move(socket));
  const int rc = plugin->Register();
  if (rc == MOSQ_ERR_SUCCESS) *self = plugin.release();
  return rc;
}

PAWL_EXPORT int mosquitto_plugin_cleanup(void* self, mosquitto_opt* /*options*/, int /*count*/) {
  const std::unique_ptr<Plugin> plugin(static_cast<Plugin*>(self));
  if (plugin) plugin->Unregister();
  return MOSQ_ERR_SUCCESS;
}
