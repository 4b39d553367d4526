#include "platform/io/channel/broker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace pawl {
namespace {

constexpr std::size_t kMaxFileBytes = 64U << 20U;
constexpr int kMaxLinesPerSecond = 20;
// A message with its topic and properties.
constexpr std::string_view kMaxPacketBytes = "17408";

// Who may read what the broker must read: the broker's group, or we alone.
struct Readers {
  std::optional<UserId> broker;
  mode_t file_mode() const { return broker ? 0640 : 0600; }
  mode_t directory_mode() const { return broker ? 0750 : 0700; }
};

Status GiveGroup(const std::string& path, const Readers& readers, mode_t mode) {
  if (readers.broker && chown(path.c_str(), geteuid(), readers.broker->group) != 0) return FileError("give", path);
  if (chmod(path.c_str(), mode) != 0) return FileError("set the mode of", path);
  return {};
}

Status MakeDirectory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return FileError("create", path);
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) return FileError("look at", path);
  if (!S_ISDIR(info.st_mode)) return Fail(Reason::kIo, path + " is no directory");
  return {};
}

// By a new file and a rename: a broker that still runs keeps what it has open.
Status WriteFile(const std::string& path, std::string_view content, const Readers& readers) {
  const std::string fresh = path + ".new";
  unlink(fresh.c_str());
  const OwnedFd file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return FileError("create", fresh);
  PAWL_TRY(WriteAll(file, AsBytes(content), fresh));
  PAWL_TRY(GiveGroup(fresh, readers, readers.file_mode()));
  if (rename(fresh.c_str(), path.c_str()) != 0) return FileError("put in place", path);
  return {};
}

Status CopyFile(const std::string& from, const std::string& to, const Readers& readers) {
  PAWL_ASSIGN(const std::string content, ReadFile(from, kMaxFileBytes));
  return WriteFile(to, content, readers);
}

// All paths are relative to the broker's directory.
std::string Configuration(const EmbeddedBroker& config, bool stay_root) {
  std::string text = R"(# Written by pawld at each start: changes here are lost. See docs/ops/broker.md.
per_listener_settings false
allow_anonymous false
allow_zero_length_clientid false
plugin ./pawl-mosquitto.so
plugin_opt_view view
plugin_opt_socket run/platform.sock

# The platform stores; the broker keeps nothing.
persistence false
sys_interval 0
max_keepalive 600
set_tcp_nodelay true

# Bounds.
max_inflight_messages 100
max_queued_messages 100000
max_queued_bytes 67108864
)";
  text.append("max_packet_size ").append(kMaxPacketBytes).append("\n");
  text.append(R"(
log_dest stderr
log_timestamp false
log_type error
log_type warning
log_type notice
connection_messages false

# Devices.
)");
  text.append("listener ").append(std::to_string(config.port)).append(" ").append(config.address).append("\n");
  text.append("max_connections ").append(std::to_string(config.max_connections)).append("\n");
  text.append(R"(cafile device-ca.pem
certfile server.pem
keyfile server.key
tls_version tlsv1.2
require_certificate true

# The platform's own client; the directory is private. Last: who reaches it knows that the port above is open too.
listener 0 run/platform.sock
)");
  // Mosquitto that is started by root becomes "mosquitto" unless told otherwise.
  if (stay_root) text.append("\nuser root\n");
  return text;
}

// Strangers at the door cause lines: so many a second go on, and no more.
class LineFilter {
 public:
  explicit LineFilter(std::function<void(std::string_view)> next) : next_(std::move(next)) {}
  void operator()(std::string_view line) {
    const auto second = std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now());
    if (second != second_) lines_ = 0;
    second_ = second;
    // Mosquitto tries it on the Unix socket too.
    if (line.contains("TCP_NODELAY") || ++lines_ > kMaxLinesPerSecond || !next_) return;
    next_(line);
  }

 private:
  std::function<void(std::string_view)> next_;
  std::chrono::time_point<std::chrono::steady_clock, std::chrono::seconds> second_;
  int lines_ = 0;
};

Status CheckConfig(const EmbeddedBroker& config) {
  if (!config.directory.starts_with('/'))
    return Fail(Reason::kInvalidArgument, "the broker's directory must be absolute");
  if (config.port == 0) return Fail(Reason::kInvalidArgument, "the broker's port must not be 0");
  // It becomes a line of the broker's configuration.
  if (config.address.empty() || config.address.find_first_not_of("0123456789abcdefABCDEF.:") != std::string::npos) {
    return Fail(Reason::kInvalidArgument, "the broker's address must be an IP address: " + config.address);
  }
  if (access(config.program.c_str(), X_OK) != 0) {
    return Fail(Reason::kNotFound,
                "no broker at " + config.program + ": install mosquitto, or configure another broker");
  }
  return {};
}

Result<std::optional<UserId>> BrokerUser(const EmbeddedBroker& config) {
  if (geteuid() != 0 || config.user == "root") return std::optional<UserId>();
  PAWL_ASSIGN(const UserId id, FindUser(config.user));
  return std::optional(id);
}

Status FillDirectory(const EmbeddedBroker& config, const Readers& readers) {
  const std::string& home = config.directory;
  const std::string run = home + "/run";
  PAWL_TRY(MakeDirectory(home, 0700));
  PAWL_TRY(GiveGroup(home, readers, readers.directory_mode()));
  PAWL_TRY(MakeDirectory(run, 0700));
  if (readers.broker && chown(run.c_str(), readers.broker->user, readers.broker->group) != 0) {
    return FileError("give", run);
  }
  if (chmod(run.c_str(), 0700) != 0) return FileError("set the mode of", run);
  PAWL_TRY(CopyFile(config.plugin, home + "/pawl-mosquitto.so", readers));
  PAWL_TRY(CopyFile(config.server_certificate, home + "/server.pem", readers));
  PAWL_TRY(CopyFile(config.server_key, home + "/server.key", readers));
  PAWL_TRY(CopyFile(config.device_ca, home + "/device-ca.pem", readers));
  return WriteFile(home + "/mosquitto.conf", Configuration(config, geteuid() == 0 && !readers.broker), readers);
}

}  // namespace

Result<std::unique_ptr<Broker>> Broker::Prepare(const EmbeddedBroker& config,
                                                std::function<void(std::string_view)> on_line,
                                                std::function<void(bool, const std::string&)> on_change) {
  PAWL_TRY(CheckConfig(config));
  PAWL_ASSIGN(const std::optional<UserId> run_as, BrokerUser(config));
  PAWL_TRY(FillDirectory(config, {run_as}));
  std::unique_ptr<Broker> broker(new Broker);
  broker->directory_ = config.directory;
  broker->run_as_ = run_as;
  broker->run_directory_ = OwnedFd(open((config.directory + "/run").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!broker->run_directory_) return FileError("open", config.directory + "/run");
  broker->child_ = std::make_unique<Child>(ChildConfig{.name = "mosquitto",
                                                       .command = {config.program, "-c", "mosquitto.conf"},
                                                       .environment = {},
                                                       .directory = config.directory,
                                                       .run_as = run_as,
                                                       .is_ready = [self = broker.get()] { return self->Accepts(); },
                                                       .on_line = LineFilter(std::move(on_line)),
                                                       .on_change = std::move(on_change)});
  return broker;
}

Broker::~Broker() {
  if (child_) child_->Stop();
}

// By the descriptor: a socket's address holds 107 bytes, and data directories lie deep.
std::string Broker::SocketPath() const {
  return "/proc/self/fd/" + std::to_string(run_directory_.get()) + "/platform.sock";
}

std::string Broker::ViewPath() const { return directory_ + "/view"; }

std::optional<unsigned> Broker::ReaderGroup() const {
  if (!run_as_) return std::nullopt;
  return run_as_->group;
}

bool Broker::Accepts() const {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = SocketPath();
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const bool accepts = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(probe);
  return accepts;
}

}  // namespace pawl
