#include "trust/sign/own_token.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/hosted/files.h"
#include "base/text.h"

namespace pawl::sign {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPinRandomBytes = 24;

Result<std::string> RandomPin() {
  std::array<std::uint8_t, kPinRandomBytes> random{};
  if (RAND_bytes(random.data(), random.size()) != 1) return Fail(Reason::kIo, "no random bytes for a PIN");
  std::string pin(Base64UrlSize(random.size()), '\0');
  Base64UrlEncode(random, pin);
  return pin;
}

Status EnsurePin(const std::string& path) {
  if (FileExists(path)) return {};
  PAWL_ASSIGN(const std::string pin, RandomPin());
  return WriteFileDurably(path, pin + "\n", 0600);
}

// Tells SoftHSM where its tokens are.
Status Configure(const std::string& folder, const std::string& tokens) {
  const std::string path = folder + "/softhsm2.conf";
  const std::string content =
      "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n";
  const auto present = ReadFile(path);
  if (!present || *present != content) PAWL_TRY(WriteFileDurably(path, content, 0600));
  if (setenv("SOFTHSM2_CONF", path.c_str(), 1) != 0) return FailErrno("set SOFTHSM2_CONF");
  return {};
}

Status MakeToken(const HsmSettings& settings) {
  PAWL_ASSIGN(const auto module, Pkcs11::Load(settings.module));
  PAWL_ASSIGN(std::string pin_text, ReadPin(settings.pin_file));
  const Secret pin(std::move(pin_text));
  // Nobody keeps the security officer's PIN: this token is never initialised again.
  PAWL_ASSIGN(std::string officer_text, RandomPin());
  const Secret officer(std::move(officer_text));
  PAWL_TRY(module->CreateToken(settings.token, officer.view(), pin.view()));
  for (const KeyUse use : kKeyUses) PAWL_TRY(module->GenerateKey(settings.labels.of(use)));
  return {};
}

Status SyncTree(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    const OwnedFd fd(open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || fsync(fd.get()) != 0) return FileError("flush", entry.path().string());
  }
  if (error) return Fail(Reason::kIo, "list " + folder + ": " + error.message());
  return SyncFolder(folder);
}

Status RemoveTree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return Fail(Reason::kIo, "remove " + path + ": " + error.message());
  return {};
}

Status CreateOwnToken(const std::string& folder, const HsmSettings& settings) {
  const std::string tokens = folder + "/tokens";
  const std::string half_made = tokens + ".new";
  PAWL_TRY(RemoveTree(half_made));
  PAWL_TRY(EnsurePin(settings.pin_file));
  PAWL_TRY(MakePrivateFolder(half_made));
  PAWL_TRY(Configure(folder, half_made));
  PAWL_TRY(MakeToken(settings));
  PAWL_TRY(SyncTree(half_made));
  if (rename(half_made.c_str(), tokens.c_str()) != 0) return FileError("rename", half_made);
  return SyncFolder(folder);
}

}  // namespace

std::string OwnPinFile(const std::string& folder) { return folder + "/pin"; }

Status EnsureOwnToken(const std::string& folder, const HsmSettings& settings, bool may_create) {
  const std::string tokens = folder + "/tokens";
  if (may_create && !FileExists(tokens)) PAWL_TRY(CreateOwnToken(folder, settings));
  return Configure(folder, tokens);
}

}  // namespace pawl::sign
