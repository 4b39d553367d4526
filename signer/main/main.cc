// pawl-signer: the only process that speaks PKCS#11.

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/text.h"
#include "signer/main/options.h"
#include "signer/main/server.h"
#include "trust/sign/client.h"
#include "trust/sign/service.h"

namespace pawl::sign {
namespace {

constexpr int kFailed = 1;

void SetUpLog() {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("pawl-signer"));
  spdlog::set_pattern("ts=%Y-%m-%dT%H:%M:%S.%eZ level=%l program=pawl-signer %v", spdlog::pattern_time_type::utc);
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return quoted + '"';
}

void LogError(std::string_view what, const Error& error) {
  spdlog::error("msg={} reason={} detail={}", Quoted(what), Quoted(Text(error.reason)), Quoted(error.detail));
}

// The PIN is in this process's memory: no core file, no debugger of the same user.
void GuardMemory() {
#if !defined(__has_feature) || !__has_feature(address_sanitizer)  // the leak check needs a debugger's rights
  prctl(PR_SET_DUMPABLE, 0);
#endif
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

// Readable from the first SIGTERM or SIGINT on. Nobody reads it, so that it stays so.
OwnedFd StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return OwnedFd(signalfd(-1, &signals, SFD_CLOEXEC));
}

// Errors are decided by the operation and logged here, once.
std::string Handle(Service& service, std::string_view json) {
  const auto start = std::chrono::steady_clock::now();
  const auto request = DecodeRequest(json);
  const Result<Answer> answer = request ? service.Perform(*request) : Result<Answer>(std::unexpected(request.error()));
  const std::string_view operation = request ? OperationName(*request) : "none";
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  if (!answer) {
    spdlog::warn("msg=refused op={} ms={} reason={} detail={}", operation, took.count(),
                 Quoted(Text(answer.error().reason)), Quoted(answer.error().detail));
  } else if (operation != "status") {
    spdlog::info("msg=done op={} ms={}", operation, took.count());
  }
  return EncodeAnswer(answer);
}

int Run(Options options) {
  GuardMemory();
  const OwnedFd stop = StopSignals();
  auto service = Service::Start(std::move(options.service));
  if (!service) {
    LogError("cannot start", service.error());
    return kFailed;
  }
  if (!(*service)->problem().empty()) spdlog::warn("msg=\"HSM not ready\" detail={}", Quoted((*service)->problem()));
  auto server = Server::Listen(options.socket, std::move(options.allowed_users));
  if (!server) {
    LogError("cannot listen", server.error());
    return kFailed;
  }
  spdlog::info("msg=listening socket={}", Quoted(options.socket));
  const Status done = server->Run([&](std::string_view request) { return Handle(**service, request); }, stop.get());
  if (!done) {
    LogError("stopped without waiting any longer", done.error());
    std::_Exit(kFailed);  // a thread still uses the service
  }
  spdlog::info("msg=stopped");
  return 0;
}

int PrintStatus(const std::string& socket) {
  const auto status = SignerClient(socket).Status();
  if (!status) {
    const std::string detail(status.error().detail.view());
    std::fprintf(stderr, "pawl-signer: %s: %s\n", std::string(Text(status.error().reason)).c_str(), detail.c_str());
    return kFailed;
  }
  std::printf("signer      %s, %llu operations\n", status->version.c_str(),
              static_cast<unsigned long long>(status->operations));
  std::printf("hsm         %s\n", status->hsm_ready ? "ready" : status->hsm_problem.c_str());
  std::printf("module      %s\ntoken       %s\n", status->module.c_str(), status->token.c_str());
  for (const SignerKey& key : status->keys) {
    std::array<char, 16> kid{};
    std::printf("%-11s %.16s %s\n", key.use.c_str(), HexEncode(key.kid, kid).data(), key.label.c_str());
  }
  return status->hsm_ready ? 0 : kFailed;
}

int Main(int argc, char** argv) {
  SetUpLog();
  auto parsed = ParseOptions(argc, argv);
  if (!parsed) {
    LogError("cannot start", parsed.error());
    return kFailed;
  }
  if (!parsed->options) return parsed->exit_status;
  if (parsed->options->status_only) return PrintStatus(parsed->options->socket);
  return Run(std::move(*parsed->options));
}

}  // namespace
}  // namespace pawl::sign

int main(int argc, char** argv) { return pawl::sign::Main(argc, argv); }
