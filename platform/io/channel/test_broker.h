// A directory with throw-away certificates, and the embedded broker's configuration for it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "platform/io/channel/broker.h"
#include "platform/io/channel/test_certificates.h"
#include "platform/io/channel/test_client.h"

namespace pawl::test {

// A listening socket on a port that was free, and that port.
inline std::pair<int, std::uint16_t> Listen() {
  const int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  PAWL_ASSERT(bind(file, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(file, 1) == 0);
  getsockname(file, reinterpret_cast<sockaddr*>(&address), &size);
  return {file, ntohs(address.sin_port)};
}

inline std::uint16_t FreePort() {
  const auto [file, port] = Listen();
  close(file);
  return port;
}

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/pawl-channel-XXXXXX";  // private to us: as strict as a data directory
    path_ = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The two authorities, the server's certificate, and a certificate for each device asked for.
class Pki {
 public:
  explicit Pki(const Folder& folder) : folder_(folder), server_ca_("server CA"), device_ca_("device CA") {
    server_ca_.Write(folder_ / "ca.pem");
    device_ca_.Write(folder_ / "device-ca.pem");
    const Key server;
    server.Write(folder_ / "server.key");
    server_ca_.Issue(folder_ / "server.pem", server, "pawl", "serverAuth");
  }

  EmbeddedBroker Broker(std::uint16_t port) const {
    return {.directory = folder_ / "broker",
            .port = port,
            .plugin = PAWL_PLUGIN,
            .server_certificate = folder_ / "server.pem",
            .server_key = folder_ / "server.key",
            .device_ca = folder_ / "device-ca.pem"};
  }

  // A client of this name with a certificate of this key, signed by the device CA (or another).
  ClientOptions Device(std::uint16_t port, const std::string& name, const Key& key, const Authority* ca = nullptr,
                       long life_s = 3600, const std::string& usage = "clientAuth") {
    const std::string file = folder_ / (name + "-" + std::to_string(++issued_));
    key.Write(file + ".key");
    (ca == nullptr ? device_ca_ : *ca).Issue(file + ".pem", key, name, usage, life_s);
    return {.port = port,
            .client_id = name,
            .username = name,
            .ca = folder_ / "ca.pem",
            .certificate = file + ".pem",
            .key = file + ".key",
            .auth_method = ""};
  }
  const Authority& server_ca() const { return server_ca_; }

 private:
  const Folder& folder_;
  Authority server_ca_, device_ca_;
  int issued_ = 0;
};

}  // namespace pawl::test
