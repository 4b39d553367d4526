#include "platform/main/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace pawl::platform {
namespace {

bool IsWildcard(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

}  // namespace

Status CheckPort(const Address& address, std::string_view setting) {
  sockaddr_in6 six{};
  sockaddr_in four{};
  const bool is_six = inet_pton(AF_INET6, address.host.c_str(), &six.sin6_addr) == 1;
  inet_pton(AF_INET, address.host.c_str(), &four.sin_addr);
  six.sin6_family = AF_INET6;
  four.sin_family = AF_INET;
  six.sin6_port = four.sin_port = htons(address.port);
  const int file = ::socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (file < 0) return Fail(Reason::kIo, std::string("cannot open a socket: ") + std::strerror(errno));
  const int on = 1;
  ::setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto* name = is_six ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
  const int bound = ::bind(file, name, is_six ? sizeof six : sizeof four);
  const int listening = bound == 0 ? ::listen(file, 1) : -1;
  const int error = errno;
  ::close(file);
  if (listening == 0) return {};
  const std::string remedy = error == EADDRINUSE ? ": another program has this port; stop it, or set " +
                                                       std::string(setting) + " in pawld.toml"
                                                 : "";
  return Fail(Reason::kIo, "cannot listen on " + address.text() + " (" + std::string(setting) +
                               "): " + std::strerror(error) + remedy);
}

bool IsIpAddress(const std::string& text) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 || inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

std::set<std::string> FurtherNames(const Config& config) {
  std::set<std::string> names(config.server_names.begin(), config.server_names.end());
  for (const Address* address : {&config.api_listen, &config.device_listen, &config.mqtt_listen}) {
    if (!IsWildcard(address->host)) names.insert(address->host);
  }
  for (const char* always : {"localhost", "127.0.0.1", "::1"}) names.erase(always);
  return names;
}

Result<std::pair<std::string, std::uint16_t>> ParseBroker(const std::string& url) {
  std::string host = url.substr(std::string_view("mqtts://").size());
  std::uint16_t port = 8883;
  if (const std::size_t colon = host.rfind(':');
      colon != std::string::npos && host.find(']', colon) == std::string::npos) {
    const int number = std::atoi(host.c_str() + colon + 1);
    if (number < 1 || number > 65535) return Fail(Reason::kInvalidArgument, "broker: " + url + " has no valid port");
    port = static_cast<std::uint16_t>(number);
    host.erase(colon);
  }
  if (host.empty()) return Fail(Reason::kInvalidArgument, "broker: " + url + " names no host");
  return std::pair(host, port);
}

}  // namespace pawl::platform
