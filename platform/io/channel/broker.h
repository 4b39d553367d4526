// Mosquitto with pawl's plugin as a supervised child, and all that it needs in a directory of its own.
//
// Least privilege: when we run as root, the broker runs as its own user. It enters its directory before it becomes that
// user, so no parent directory need be open to it, and it may read this directory alone and write `run/` alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/hosted/files.h"
#include "base/result.h"
#include "platform/io/channel/child.h"

namespace pawl {

// Paths are absolute; all but `directory` must exist.
struct EmbeddedBroker {
  std::string directory;  // the broker's own: configuration, key, view, socket; created
  std::string address = "127.0.0.1";
  std::uint16_t port = 8883;
  std::string program = "/usr/sbin/mosquitto";
  std::string plugin;              // pawl-mosquitto.so
  std::string server_certificate;  // PEM, with its chain
  std::string server_key;          // PEM
  std::string device_ca;           // PEM: who signs device certificates
  std::string user = "mosquitto";  // only when we run as root; an ordinary user keeps its own
  std::uint32_t max_connections = 50000;
};

class Broker {
 public:
  // Writes the directory; starts nothing. Errors: invalid argument, not found (a file, the user), i/o error.
  static Result<std::unique_ptr<Broker>> Prepare(const EmbeddedBroker& config,
                                                 std::function<void(std::string_view line)> on_line,
                                                 std::function<void(bool ready, const std::string& what)> on_change);
  ~Broker();

  // The socket for the platform's own client, by a path that is always short enough for a socket address.
  std::string SocketPath() const;
  std::string ViewPath() const;
  // The group that must be able to read the view, if it is not ours.
  std::optional<unsigned> ReaderGroup() const;

  // Start it after the view was written.
  Child& child() { return *child_; }
  const Child& child() const { return *child_; }

 private:
  Broker() = default;
  bool Accepts() const;

  std::string directory_;
  std::optional<UserId> run_as_;
  OwnedFd run_directory_;
  std::unique_ptr<Child> child_;
};

}  // namespace pawl
