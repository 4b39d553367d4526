// class, artifact, release.
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "base/text.h"
#include "cli/private_file.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/wait.h"

namespace pawl::cli {

namespace json = boost::json;

namespace {

constexpr int kPollMs = 300;
constexpr std::uint64_t kNoHighestBoard = 4294967295;  // the API's default

void Put(json::object& body, std::string_view name, const std::optional<std::uint64_t>& value) {
  if (value) body[name] = *value;
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void Add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string Hex() {
    std::array<std::uint8_t, 32> digest{};
    std::array<char, 64> text{};
    EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
    return std::string(HexEncode(digest, text));
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

// A regular file, open for reading.
class InputFile {
 public:
  static Outcome<InputFile> Open(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
      return Fail(Exit::kUsage, "cannot read " + path + ": " + std::strerror(errno), "check the file's name");
    InputFile file(descriptor);
    struct stat status{};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode))
      return Fail(Exit::kUsage, path + " is not a file", "check the file's name");
    file.bytes_ = static_cast<std::uint64_t>(status.st_size);
    if (file.bytes_ == 0) return Fail(Exit::kUsage, path + " is empty", "check the file's name");
    return file;
  }
  InputFile(InputFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), bytes_(other.bytes_) {}
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  std::uint64_t bytes() const { return bytes_; }
  // 0: the end; < 0: failed.
  std::ptrdiff_t Read(std::span<char> to) { return ::read(descriptor_, to.data(), to.size()); }
  void Rewind() { ::lseek(descriptor_, 0, SEEK_SET); }

 private:
  explicit InputFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
  std::uint64_t bytes_ = 0;
};

Outcome<std::string> DigestOf(InputFile& file, const std::string& path) {
  Sha256 hash;
  std::array<char, 65536> block;
  std::ptrdiff_t got = 0;
  while ((got = file.Read(block)) > 0) hash.Add({block.data(), static_cast<std::size_t>(got)});
  if (got < 0) return Fail(Exit::kUsage, "cannot read " + path + ": " + std::strerror(errno), "check the file");
  file.Rewind();
  return hash.Hex();
}

Outcome<Answer> Upload(Session& session, const std::string& path, const std::string& name) {
  CLI_ASSIGN(InputFile file, InputFile::Open(path));
  CLI_ASSIGN(const std::string digest, DigestOf(file, path));
  const std::string shown = name.empty() ? std::filesystem::path(path).filename().string() : name;
  Progress progress(session.terminal, "uploading " + Sanitise(shown), file.bytes());
  HttpRequest request{.method = "POST",
                      .target = Query(Path("artifacts")).Add("name", shown).target(),
                      .headers = {"Content-Type: application/octet-stream", "Digest: sha-256=" + digest}};
  std::uint64_t sent = 0;
  request.source_bytes = file.bytes();
  request.source = [&](std::span<char> to) {
    const std::ptrdiff_t got = file.Read(to);
    if (got > 0) progress.Show(sent += static_cast<std::uint64_t>(got));
    return got;
  };
  CLI_ASSIGN(HttpAnswer answer, session.api.Send(request));
  progress.Finish();
  CLI_ASSIGN(Answer artifact, ParseAnswer(std::move(answer), session.api.peer().url));
  if (Raw(artifact.value, "digest") != digest) {
    return Fail(Exit::kFailed, "the platform stored other bytes than were sent",
                "upload the file again; see the log of pawld");
  }
  return artifact;
}

std::string ArtifactFacts(const Terminal& terminal, const json::value& artifact) {
  Facts facts;
  facts.Add("artifact", Show(artifact, "digest"));
  facts.Add("name", Show(artifact, "name"));
  facts.Add("size", Bytes(Number(artifact, "bytes")));
  facts.Add("created", When(terminal, At(artifact, "created")) + " by " + Show(artifact, "created_by"));
  return facts.Text(terminal);
}

std::string ClassFacts(const json::value& c, const Terminal& terminal) {
  Facts facts;
  facts.Add("class", Show(c, "name") + " of " + Show(c, "vendor"));
  facts.Add("ids", "vendor " + Show(c, "vendor_id") + ", class " + Show(c, "class_id"));
  facts.Add("slot", Bytes(Number(c, "slot_bytes")));
  facts.Add("watchdog", Show(c, "watchdog_s") + " s; trials at most " + Show(c, "max_trial_budget_s") +
                            " s, patience " + Show(c, "patience_s") + " s");
  const bool bounded = Number(c, "max_board_revision") < kNoHighestBoard;
  facts.Add("boards", Show(c, "min_board_revision") + (bounded ? " to " + Show(c, "max_board_revision") : " or newer"));
  facts.Add("image keys", Join(At(c, "key_ids")));
  return facts.Text(terminal);
}

std::string ReleaseFacts(const Terminal& terminal, const json::value& release) {
  Facts facts;
  facts.Add("release", Show(release, "id"));
  facts.Add("version", Show(release, "version") + " for " + Show(release, "class"));
  facts.Add("state", Show(release, "state"), ColourOfState(Raw(release, "state")));
  if (At(release, "waiting").is_string()) facts.Add("waits", Show(release, "waiting"), Colour::kBusy);
  if (const std::string reason = ReasonText(At(release, "reason")); !reason.empty())
    facts.Add("reason", reason, Colour::kBad);
  facts.Add("artifact", Show(release, "artifact") + " (" + Bytes(Number(release, "artifact_bytes")) + ")");
  facts.Add("sequence", Show(release, "sequence"));
  facts.Add("security version", Show(release, "security_version"));
  facts.Add("board revision", Show(release, "min_board_revision") + " or newer");
  facts.Add("trial budget", Show(release, "trial_budget_s") + " s");
  if (At(release, "use_before").is_string()) facts.Add("use before", When(terminal, At(release, "use_before")));
  facts.Add("manifest", Show(release, "manifest_digest"));
  facts.Add("signed by", Join(At(release, "kids")));
  facts.Add("created", When(terminal, At(release, "created")) + " by " + Show(release, "created_by"));
  return facts.Text(terminal);
}

// Streams an answer's body into a file or, with "-", to standard output. With a digest, the bytes must have it.
Done Save(Session& session, const std::string& target, const std::string& out, const std::string& digest) {
  if (out == "-" && session.terminal.out_is_tty) {
    return Fail(Exit::kUsage, "binary data is not written to a terminal", "name a file with --out, or use a pipe");
  }
  std::optional<PrivateFile> file;
  if (out != "-") {
    CLI_ASSIGN(PrivateFile made, PrivateFile::Create(out, true));
    file.emplace(std::move(made));
  }
  Sha256 hash;
  Done written;
  HttpRequest request{.target = target};
  request.sink = [&](std::string_view bytes) {
    hash.Add(bytes);
    written = file ? file->Write(bytes) : PrintAll(bytes);
    return written.has_value();
  };
  CLI_TRY(session.api.Send(request));
  CLI_TRY(std::move(written));
  if (!digest.empty() && hash.Hex() != digest) {
    return Fail(Exit::kFailed, "the platform sent other bytes than it stores under " + digest,
                "check the artifact store: what it holds was altered");
  }
  if (!file) return {};
  CLI_TRY(file->Commit());
  session.terminal.Note("wrote " + out);
  return {};
}

Outcome<Answer> WaitForSigning(Session& session, Answer release) {
  const std::string id = Raw(release.value, "id");
  Wait wait(session, "the release goes on being signed", "pawl release show " + id);
  std::string shown;
  while (Raw(release.value, "state") == "signing") {
    const std::string waiting = Show(release.value, "waiting");
    if (waiting != "-" && waiting != shown) session.terminal.Note("waits: " + (shown = waiting));
    CLI_TRY(wait.Pause(kPollMs));
    CLI_ASSIGN(release, wait.Get(Path("releases", id)));
  }
  return release;
}

}  // namespace

Done CreateClass(Session& session, const NewClassOptions& options) {
  json::object body{{"name", options.name},
                    {"vendor", options.vendor},
                    {"slot_bytes", options.slot_bytes},
                    {"watchdog_s", options.watchdog_s},
                    {"max_trial_budget_s", options.max_trial_budget_s}};
  Put(body, "patience_s", options.patience_s);
  Put(body, "min_board_revision", options.min_board_revision);
  Put(body, "max_board_revision", options.max_board_revision);
  CLI_ASSIGN(const Answer answer, session.api.Post(Path("classes"), body));
  return Emit(session, answer, [&] { return ClassFacts(answer.value, session.terminal); });
}

Done ListClasses(Session& session, std::size_t limit) {
  CLI_ASSIGN(const Answer answer, session.api.List(Query(Path("classes")), limit));
  const auto row = [](const json::value& c) -> std::vector<Cell> {
    return {{Show(c, "name")},
            {Show(c, "vendor")},
            {Bytes(Number(c, "slot_bytes"))},
            {Show(c, "watchdog_s") + " s"},
            {Show(c, "max_trial_budget_s") + " s"},
            {Show(c, "class_id")}};
  };
  return EmitList(session, answer, {{"CLASS"}, {"VENDOR"}, {"SLOT", true}, {"WATCHDOG", true}, {"TRIAL", true}, {"ID"}},
                  row, "no classes yet; make one: pawl class create");
}

Done ShowClass(Session& session, const std::string& name) {
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("classes", name)));
  return Emit(session, answer, [&] { return ClassFacts(answer.value, session.terminal); });
}

Done SaveAnchors(Session& session, const std::string& name, const std::string& out) {
  return Save(session, Path("classes", name, "anchors"), out, "");
}

Done UploadArtifact(Session& session, const std::string& file, const std::string& name) {
  CLI_ASSIGN(const Answer answer, Upload(session, file, name));
  return Emit(session, answer, [&] {
    return ArtifactFacts(session.terminal, answer.value) + (answer.status == 200 ? "was stored already\n" : "");
  });
}

Done ListArtifacts(Session& session, std::size_t limit) {
  CLI_ASSIGN(const Answer answer, session.api.List(Query(Path("artifacts")), limit));
  const auto row = [&](const json::value& artifact) -> std::vector<Cell> {
    return {{Show(artifact, "digest")},
            {Bytes(Number(artifact, "bytes"))},
            {When(session.terminal, At(artifact, "created"))},
            {Show(artifact, "name")}};
  };
  return EmitList(session, answer, {{"ARTIFACT"}, {"SIZE", true}, {"CREATED"}, {"NAME"}}, row,
                  "no artifacts yet; upload one: pawl artifact upload FILE");
}

Done ShowArtifact(Session& session, const std::string& digest) {
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("artifacts", digest)));
  return Emit(session, answer, [&] { return ArtifactFacts(session.terminal, answer.value); });
}

Done DownloadArtifact(Session& session, const std::string& digest, const std::string& out) {
  return Save(session, Path("artifacts", digest, "content"), out, digest);
}

Done DeleteArtifact(Session& session, const std::string& digest) {
  CLI_TRY(session.api.Delete(Path("artifacts", digest)));
  session.terminal.Note("deleted artifact " + Sanitise(digest));
  return {};
}

Done CreateRelease(Session& session, const NewReleaseOptions& options) {
  std::string artifact = options.artifact;
  if (!options.file.empty()) {
    CLI_ASSIGN(const Answer uploaded, Upload(session, options.file, ""));
    artifact = Raw(uploaded.value, "digest");
  }
  json::object body{{"class", options.device_class}, {"artifact", artifact}, {"version", options.version}};
  Put(body, "security_version", options.security_version);
  Put(body, "min_board_revision", options.min_board_revision);
  Put(body, "trial_budget_s", options.trial_budget_s);
  if (!options.use_before.empty()) body["use_before"] = options.use_before;
  CLI_ASSIGN(Answer answer, session.api.Post(Path("releases"), body));
  if (options.wait) {
    CLI_ASSIGN(answer, WaitForSigning(session, std::move(answer)));
  }
  CLI_TRY(Emit(session, answer, [&] { return ReleaseFacts(session.terminal, answer.value); }));
  if (Raw(answer.value, "state") != "refused") return {};
  return Fail(Exit::kFailed, "the release was refused: " + ReasonText(At(answer.value, "reason")), "see pawl reasons");
}

Done ListReleases(Session& session, const std::string& device_class, std::size_t limit) {
  CLI_ASSIGN(const Answer answer, session.api.List(Query(Path("releases")).Add("class", device_class), limit));
  const auto row = [&](const json::value& release) -> std::vector<Cell> {
    const std::string waiting =
        At(release, "waiting").is_string() ? Show(release, "waiting") : ReasonText(At(release, "reason"));
    return {{Show(release, "id")},
            {Show(release, "class")},
            {Show(release, "version")},
            {Show(release, "sequence")},
            StateCell(release),
            {When(session.terminal, At(release, "created"))},
            {waiting}};
  };
  return EmitList(session, answer,
                  {{"RELEASE"}, {"CLASS"}, {"VERSION"}, {"SEQUENCE", true}, {"STATE"}, {"CREATED"}, {"WHY"}}, row,
                  "no releases yet; make one: pawl release create");
}

Done ShowRelease(Session& session, const std::string& id) {
  CLI_ASSIGN(const Answer answer, session.api.Get(Path("releases", id)));
  return Emit(session, answer, [&] { return ReleaseFacts(session.terminal, answer.value); });
}

Done SaveEnvelope(Session& session, const std::string& id, const std::string& out) {
  return Save(session, Path("releases", id, "envelope"), out, "");
}

}  // namespace pawl::cli
