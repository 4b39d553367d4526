// Drives the real pawl-signer with a real SoftHSM2 token, over its socket.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

#include "signer/main/signer_process.h"
#include "trust/crypto/crypto.h"
#include "trust/manifest/manifest.h"
#include "trust/sign/client.h"
#include "trust/sign/frame.h"
#include "trust/sign/own_token.h"
#include "trust/sign/protocol.h"
#include "trust/sign/temporary_folder.h"
#include "trust/verify/key_table.h"
#include "trust/verify/verify.h"

namespace pawl::sign {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint64_t kDayS = 86400;

std::uint64_t NowS() { return static_cast<std::uint64_t>(std::time(nullptr)); }

class Signer : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(folder_.file("artifacts"));
    Start();
  }

  std::vector<std::string> Arguments() const {
    return {"--dir",          folder_.file("hsm"),         "--socket",  socket_,
            "--artifacts",    folder_.file("artifacts"),   "--anchors", folder_.file("anchors.cbor"),
            "--offline-keys", folder_.file("offline-keys")};
  }
  void Start(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = Arguments();
    arguments.insert(arguments.end(), more.begin(), more.end());
    process_ = std::make_unique<SignerProcess>(arguments);
    ASSERT_TRUE(process_->WaitLog("msg=listening")) << process_->log();
  }
  int Stop() {
    process_->Signal(SIGTERM);
    const int status = process_->Wait();
    process_.reset();
    return status;
  }
  // Starts a signer that must refuse. Its log.
  std::string RefusedStart(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = Arguments();
    arguments.insert(arguments.end(), more.begin(), more.end());
    SignerProcess refused(arguments);
    EXPECT_FALSE(refused.WaitLog("msg=listening"));
    EXPECT_EQ(refused.Wait(), 1) << refused.log();
    return refused.log();
  }

  StoredArtifact Store(const std::string& name, std::string_view content) {
    EXPECT_TRUE(WriteFileDurably(folder_.file("artifacts/" + name), content, 0600));
    return {name, crypto::Hash(AsBytes(content)), content.size()};
  }
  static ReleaseFacts Facts() {
    ReleaseFacts facts{.vendor = "pawl.example", .class_name = "virtual-1", .sequence = 7, .version = {2, 1, 0}};
    facts.trial_budget_s = 60;
    return facts;
  }
  static Permit SomePermit() {
    Permit permit;
    permit.device = "dev-0001";
    permit.job = 17;
    permit.manifest_digest = crypto::Hash(AsBytes("manifest"));
    return permit;
  }
  // What this user is told.
  Reason ReasonForUser(uid_t user) const {
    const pid_t child = fork();
    if (child == 0) {
      const bool changed = setgid(user) == 0 && setuid(user) == 0;
      const auto status = client_.Status();
      _exit(!changed ? 255 : status ? 0 : static_cast<int>(status.error().reason));
    }
    int status = 0;
    waitpid(child, &status, 0);
    return static_cast<Reason>(WEXITSTATUS(status));
  }
  KeyTable Anchors() const {
    const auto table = DecodeAnchors(AsBytes(*ReadFile(folder_.file("anchors.cbor"))));
    EXPECT_TRUE(table);
    return *table;
  }

  TemporaryFolder folder_;
  const std::string socket_ = folder_.file("socket");
  const SignerClient client_{socket_, 10s};
  std::unique_ptr<SignerProcess> process_;
};

// --- What it signs ---

TEST_F(Signer, AManifestHoldsUnderTheAnchorsAndStatesWhatTheArtifactIs) {
  const std::string firmware(150000, 'f');
  const StoredArtifact artifact = Store("fw", firmware);
  const auto made = client_.SignManifest(Facts(), artifact);
  ASSERT_TRUE(made) << made.error().detail.view();
  const auto verified = Verify(made->envelope, Anchors());
  ASSERT_TRUE(verified) << Text(verified.error().reason);
  EXPECT_EQ(verified->digest(), made->manifest_digest);
  EXPECT_EQ(verified->get().image_digest, artifact.digest);
  EXPECT_EQ(verified->get().image_bytes, firmware.size());
  EXPECT_EQ(verified->get().sequence, 7U);
  EXPECT_EQ(verified->get().cls, ClassId(VendorId("pawl.example"), "virtual-1"));
}

TEST_F(Signer, APermitHoldsUnderTheDirectorKeyAndAManifestDoesNot) {
  const auto permit = client_.SignPermit(SomePermit());
  ASSERT_TRUE(permit) << permit.error().detail.view();
  const auto verified = VerifyPermit(*permit, Anchors());
  ASSERT_TRUE(verified) << Text(verified.error().reason);
  EXPECT_EQ(verified->get().device.view(), "dev-0001");
  EXPECT_EQ(verified->get().job, 17U);
}

TEST_F(Signer, StatusNamesTheKeysThatTheAnchorsList) {
  const auto status = client_.Status();
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->hsm_ready);
  ASSERT_EQ(status->keys.size(), 4U);
  EXPECT_EQ(status->keys[0].use, "image");
  EXPECT_TRUE(FindKey(Anchors(), status->keys[0].kid, Role::kImage));
  EXPECT_TRUE(FindKey(Anchors(), status->keys[1].kid, Role::kDirector));
  EXPECT_TRUE(IsTlsRoot(Anchors(), status->keys[3].public_key));
  EXPECT_TRUE(Equal(status->anchors, AsBytes(*ReadFile(folder_.file("anchors.cbor")))));
}

TEST_F(Signer, CertificatesComeFromTheStoredCas) {
  const auto cas = client_.GetCaCertificates();
  ASSERT_TRUE(cas);
  EXPECT_EQ(cas->server_ca_pem, *ReadFile(folder_.file("hsm/server-ca.pem")));
  const PublicKey some_key = client_.Status()->keys[0].public_key;
  const auto device = client_.IssueDeviceCertificate({"dev-1", some_key, NowS(), NowS() + kDayS});
  const auto server = client_.IssueServerCertificate({some_key, {"localhost"}, {"127.0.0.1"}, NowS(), NowS() + kDayS});
  ASSERT_TRUE(device);
  ASSERT_TRUE(server);
  for (const auto& [ca, leaf] :
       {std::pair(cas->device_ca_pem, device->pem), std::pair(cas->server_ca_pem, server->pem)}) {
    ASSERT_TRUE(WriteFileDurably(folder_.file("ca.pem"), ca, 0600));
    ASSERT_TRUE(WriteFileDurably(folder_.file("leaf.pem"), leaf, 0600));
    const std::string command =
        "openssl verify -x509_strict -CAfile " + folder_.file("ca.pem") + " " + folder_.file("leaf.pem");
    EXPECT_EQ(std::system((command + " >/dev/null").c_str()), 0);
  }
  const auto foreign = client_.IssueServerCertificate({some_key, {"bank.example"}, {}, NowS(), NowS() + kDayS});
  EXPECT_EQ(foreign.error().reason, Reason::kForbidden);
}

TEST_F(Signer, AServerNameAddedLaterNeedsNoNewKey) {
  const PublicKey some_key = client_.Status()->keys[0].public_key;
  const auto kid = client_.Status()->keys[3].kid;
  ASSERT_EQ(Stop(), 0);
  Start({"--server-name", "updates.example.com"});
  EXPECT_EQ(client_.Status()->keys[3].kid, kid);
  EXPECT_TRUE(client_.IssueServerCertificate({some_key, {"updates.example.com"}, {}, NowS(), NowS() + kDayS}));
}

TEST_F(Signer, EachSignatureHasItsLineAndTheCountGoesOnAfterARestart) {
  const std::uint64_t before = client_.Status()->operations;
  ASSERT_TRUE(client_.SignManifest(Facts(), Store("fw", "firmware")));
  ASSERT_TRUE(client_.SignPermit(SomePermit()));
  ASSERT_FALSE(client_.SignManifest(Facts(), {"none", {}, 1}));  // no signature, no line
  EXPECT_EQ(client_.Status()->operations, before + 2);
  ASSERT_EQ(Stop(), 0);
  Start();
  EXPECT_EQ(client_.Status()->operations, before + 2);
  const std::string log = *ReadFile(folder_.file("hsm/operations.log"));
  EXPECT_EQ(static_cast<std::uint64_t>(std::ranges::count(log, '\n')), before + 2);
  EXPECT_NE(log.find("op=sign_permit device=dev-0001 job=17"), std::string::npos) << log;
}

// --- What it does not sign ---

// A4: the "firmware" is the very text that, signed, would make a forged envelope verify.
TEST_F(Signer, ASignatureOverASigStructureAsFirmwareMakesNoForgedEnvelopeVerify) {
  const KeyTable anchors = Anchors();
  const auto genuine = client_.SignManifest(Facts(), Store("fw", "firmware"));
  ASSERT_TRUE(genuine);
  Manifest forged = Verify(genuine->envelope, anchors)->get();
  forged.sequence += 1000;
  std::vector<std::uint8_t> manifest(kMaxEnvelopeBytes);
  manifest.resize(*EncodeManifest(forged, manifest));
  std::array<std::uint8_t, 9> header{};
  std::vector<std::uint8_t> with_header(
      header.begin(), header.begin() + static_cast<std::ptrdiff_t>(WriteBstrHeader(manifest.size(), header)));
  std::copy_n(header.begin(), with_header.size(), with_header.begin());
  with_header.insert(with_header.end(), manifest.begin(), manifest.end());
  const Digest digest = crypto::Hash(with_header);
  std::array<std::uint8_t, 65 + kSigStructureOverhead> to_sign{};
  const std::size_t size = WriteSigStructure(genuine->kid, {}, EncodeSuitDigest(digest), to_sign);
  ASSERT_EQ(size, 65U);
  const auto made = client_.SignManifest(Facts(), Store("evil", AsText(ByteView(to_sign).first(size))));
  ASSERT_TRUE(made);  // it is a file like any other
  ASSERT_TRUE(Verify(made->envelope, anchors));
  const SignatureBlock stolen = DecodeEnvelope(made->envelope)->signatures[0];
  std::vector<std::uint8_t> envelope(kMaxEnvelopeBytes);
  envelope.resize(*EncodeEnvelope(manifest, digest, std::span(&stolen, 1), envelope));
  EXPECT_EQ(Verify(envelope, anchors).error().reason, Reason::kInvalidSignature);
}

TEST_F(Signer, NoOperationSignsAGivenDigest) {
  const std::uint64_t before = client_.Status()->operations;
  for (const char* operation : {"sign", "sign_digest", "sign_raw", "sign_bytes", "certify"}) {
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    const auto socket = ConnectUnix(socket_, deadline);
    ASSERT_TRUE(socket);
    const std::string request =
        std::string(R"({"op":")") + operation + R"(","digest":")" + std::string(64, 'a') + R"("})";
    ASSERT_TRUE(WriteFrame(socket->get(), request, deadline));
    EXPECT_EQ(DecodeAnswer(*ReadFrame(socket->get(), deadline)).error().reason, Reason::kMalformed);
  }
  EXPECT_EQ(client_.Status()->operations, before);
}

TEST_F(Signer, AnArtifactChangedAfterItsUploadIsRefused) {
  const StoredArtifact artifact = Store("fw", "firmware");
  Store("fw", "malware!");
  const auto refused = client_.SignManifest(Facts(), artifact);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::kCorrupt);
  StoredArtifact longer = Store("fw", "firmware");
  longer.bytes += 1;
  EXPECT_EQ(client_.SignManifest(Facts(), longer).error().reason, Reason::kCorrupt);
}

TEST_F(Signer, APathOutOfTheArtifactsIsRefused) {
  StoredArtifact artifact = Store("fw", "firmware");
  for (const std::string& path : {std::string("../hsm/pin"), folder_.file("hsm/pin"), std::string("/etc/passwd")}) {
    artifact.path = path;
    EXPECT_EQ(client_.SignManifest(Facts(), artifact).error().reason, Reason::kForbidden) << path;
  }
}

TEST_F(Signer, FactsThatTheProfileDoesNotAllowAreRefused) {
  const StoredArtifact artifact = Store("fw", "firmware");
  const auto reason = [&](auto change) {
    ReleaseFacts facts = Facts();
    change(facts);
    const auto made = client_.SignManifest(facts, artifact);
    return made ? Reason::kNone : made.error().reason;
  };
  EXPECT_EQ(reason([](ReleaseFacts&) {}), Reason::kNone);
  EXPECT_EQ(reason([](ReleaseFacts& f) { f.vendor = "pawl.example\n"; }), Reason::kInvalidArgument);
  EXPECT_EQ(reason([](ReleaseFacts& f) { f.class_name = ""; }), Reason::kInvalidArgument);
  EXPECT_EQ(reason([](ReleaseFacts& f) { f.sequence = std::uint64_t{1} << 53; }), Reason::kInvalidArgument);
  EXPECT_EQ(reason([](ReleaseFacts& f) { f.trial_budget_s = 0; }), Reason::kInvalidArgument);
  EXPECT_EQ(reason([](ReleaseFacts& f) { f.slot = 2; }), Reason::kInvalidArgument);
  Permit permit = SomePermit();
  permit.use_within_s = kMaxPermitLifeS + 1;
  EXPECT_FALSE(client_.SignPermit(permit));
}

// --- Its socket ---

TEST_F(Signer, GarbageOnTheSocketEndsNothing) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  std::uint64_t state = 1;  // a fixed seed
  for (std::size_t round = 0; round < 200; ++round) {
    std::string garbage(1 + round % 97, '\0');
    for (char& c : garbage) c = static_cast<char>((state = state * 6364136223846793005U + 1442695040888963407U) >> 56);
    const auto socket = ConnectUnix(socket_, deadline);
    ASSERT_TRUE(socket);
    if (round % 2 == 0) {
      ASSERT_TRUE(WriteFrame(socket->get(), garbage, deadline));
      EXPECT_EQ(DecodeAnswer(*ReadFrame(socket->get(), deadline)).error().reason, Reason::kMalformed);
    } else {
      EXPECT_GT(send(socket->get(), garbage.data(), garbage.size(), MSG_NOSIGNAL), 0);  // a frame that never ends
    }
  }
  EXPECT_TRUE(client_.Status());
}

TEST_F(Signer, AFrameOverItsLimitIsRefusedBeforeItIsRead) {
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  const auto socket = ConnectUnix(socket_, deadline);
  ASSERT_TRUE(socket);
  ASSERT_EQ(send(socket->get(), "\x00\x01\x00\x01", 4, MSG_NOSIGNAL), 4);
  EXPECT_EQ(DecodeAnswer(*ReadFrame(socket->get(), deadline)).error().reason, Reason::kTooLarge);
  EXPECT_EQ(ReadFrame(socket->get(), deadline).error().reason, Reason::kUnavailable);  // closed
}

TEST_F(Signer, OneConnectionCarriesManyRequests) {
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  const auto socket = ConnectUnix(socket_, deadline);
  ASSERT_TRUE(socket);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(WriteFrame(socket->get(), EncodeRequest(StatusRequest{}), deadline));
    EXPECT_TRUE(DecodeAnswer(*ReadFrame(socket->get(), deadline)));
  }
}

TEST_F(Signer, AConnectionTooManyIsToldSo) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  std::vector<OwnedFd> idle;
  Result<Answer> last = Answer();
  for (int i = 0; i < 70 && last; ++i) {
    auto socket = ConnectUnix(socket_, deadline);
    ASSERT_TRUE(socket);
    (void)WriteFrame(socket->get(), EncodeRequest(CaCertificatesRequest{}), deadline);  // it may be closed already
    const auto answer = ReadFrame(socket->get(), deadline);
    last = answer ? DecodeAnswer(*answer) : Result<Answer>(std::unexpected(answer.error()));
    idle.push_back(std::move(*socket));
  }
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().reason, Reason::kUnavailable);
  EXPECT_EQ(idle.size(), 65U);
  idle.clear();
  while (!client_.Status()) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
}

TEST_F(Signer, ManyClientsAtOnceAllGetTheirPermits) {
  std::atomic<int> signed_permits = 0;
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 8; ++i) {
      clients.emplace_back([&] {
        for (int n = 0; n < 20; ++n) signed_permits += client_.SignPermit(SomePermit()).has_value() ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(signed_permits, 160);
}

TEST_F(Signer, OnlyItsOwnUserMayUseTheSocket) {
  struct stat facts{};
  ASSERT_EQ(stat(socket_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  if (geteuid() != 0) GTEST_SKIP() << "needs root to be another user";
  chmod(folder_.path().c_str(), 0755);
  chmod(socket_.c_str(), 0666);  // even where the file's mode would let him in
  EXPECT_EQ(ReasonForUser(65534), Reason::kForbidden);
  ASSERT_EQ(Stop(), 0);
  Start({"--allow-user", "65534"});
  EXPECT_EQ(ReasonForUser(65534), Reason::kNone);
  EXPECT_EQ(ReasonForUser(65533), Reason::kForbidden);
}

// --- Secrets ---

TEST_F(Signer, ThePinIsInItsFileAndNowhereElse) {
  ASSERT_TRUE(client_.SignPermit(SomePermit()));
  const std::string pin = *ReadPin(folder_.file("hsm/pin"));
  ASSERT_GE(pin.size(), 32U);
  const std::string proc = "/proc/" + std::to_string(process_->pid());
  const std::string arguments = *ReadFile(proc + "/cmdline");
  EXPECT_NE(arguments.find("--socket"), std::string::npos);
  EXPECT_EQ(arguments.find(pin), std::string::npos);
  if (const auto environment = ReadFile(proc + "/environ")) EXPECT_EQ(environment->find(pin), std::string::npos);
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
    if (!entry.is_regular_file() || entry.path() == folder_.file("hsm/pin")) continue;
    EXPECT_EQ(ReadFile(entry.path(), 1 << 20)->find(pin), std::string::npos) << entry.path();
  }
  process_->Signal(SIGTERM);
  EXPECT_FALSE(process_->WaitLog("never logged"));  // the whole log, to its end
  EXPECT_NE(process_->log().find("op=sign_permit"), std::string::npos);
  EXPECT_EQ(process_->log().find(pin), std::string::npos);
}

TEST_F(Signer, LeavesNoCoreFile) {
  rlimit limit{};
  ASSERT_EQ(prlimit(process_->pid(), RLIMIT_CORE, nullptr, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, 0U);
}

// --- Start, stop, HSM away ---

TEST_F(Signer, StopsGracefullyAndStartsAgainAsItWas) {
  const auto before = client_.Status();
  EXPECT_EQ(Stop(), 0);
  EXPECT_FALSE(fs::exists(socket_));
  EXPECT_EQ(client_.Status().error().reason, Reason::kUnavailable);
  fs::remove_all(folder_.file("offline-keys"));  // moved to offline storage, as README.txt says
  Start();
  const auto after = client_.Status();
  ASSERT_TRUE(after);
  EXPECT_EQ(after->anchors, before->anchors);
  EXPECT_EQ(after->keys[0].kid, before->keys[0].kid);
  EXPECT_FALSE(fs::exists(folder_.file("offline-keys")));
}

TEST_F(Signer, StartsAgainAfterKill9) {
  process_->Signal(SIGKILL);
  process_->Wait();
  Start();
  EXPECT_TRUE(client_.Status()->hsm_ready);
}

TEST_F(Signer, ASecondSignerInTheSameFolderIsRefused) {
  EXPECT_NE(RefusedStart().find("another pawl-signer holds"), std::string::npos);
  EXPECT_TRUE(client_.Status());
}

TEST_F(Signer, WhileTheHsmIsAwayOperationsSaySoAndGoOnWhenItIsBack) {
  const StoredArtifact artifact = Store("fw", "firmware");
  fs::rename(folder_.file("hsm/tokens"), folder_.file("away"));
  const auto refused = client_.SignManifest(Facts(), artifact);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::kUnavailable);
  EXPECT_NE(refused.error().detail.view().find("C_"), std::string_view::npos) << refused.error().detail.view();
  EXPECT_FALSE(client_.SignPermit(SomePermit()));
  const auto status = client_.Status();
  ASSERT_TRUE(status);
  EXPECT_FALSE(status->hsm_ready);
  EXPECT_NE(status->hsm_problem.find("CKR_"), std::string::npos) << status->hsm_problem;
  EXPECT_EQ(status->keys.size(), 4U);  // still known
  fs::rename(folder_.file("away"), folder_.file("hsm/tokens"));
  EXPECT_TRUE(client_.SignManifest(Facts(), artifact));
  EXPECT_TRUE(client_.Status()->hsm_ready);
}

TEST_F(Signer, StartsWithoutItsHsmAndMakesNoOtherToken) {
  ASSERT_EQ(Stop(), 0);
  fs::rename(folder_.file("hsm/tokens"), folder_.file("away"));
  Start();
  EXPECT_NE(process_->log().find("HSM not ready"), std::string::npos);
  EXPECT_FALSE(client_.Status()->hsm_ready);
  EXPECT_FALSE(client_.SignPermit(SomePermit()));
  EXPECT_FALSE(fs::exists(folder_.file("hsm/tokens")));
  fs::rename(folder_.file("away"), folder_.file("hsm/tokens"));
  EXPECT_TRUE(client_.SignPermit(SomePermit()));
}

TEST_F(Signer, RefusesToStartWithAnotherTokenThanItsAnchors) {
  ASSERT_EQ(Stop(), 0);
  fs::remove_all(folder_.file("hsm"));  // the token is lost: a new one would be made
  const std::string log = RefusedStart();
  EXPECT_NE(log.find(folder_.file("anchors.cbor")), std::string::npos) << log;
  EXPECT_NE(log.find("image key"), std::string::npos) << log;
}

TEST_F(Signer, RefusesToStartWithoutItsAnchors) {
  ASSERT_EQ(Stop(), 0);
  fs::remove(folder_.file("anchors.cbor"));
  EXPECT_NE(RefusedStart().find(folder_.file("anchors.cbor") + " is gone"), std::string::npos);
}

TEST_F(Signer, TheStatusCommandTellsHowItIs) {
  const auto run = [&](const std::string& socket) {
    const std::string command =
        std::string(PAWL_SIGNER_PROGRAM) + " status --socket " + socket + " >" + folder_.file("out") + " 2>&1";
    return std::system(command.c_str());
  };
  EXPECT_EQ(run(socket_), 0);
  EXPECT_NE(ReadFile(folder_.file("out"))->find("pawl-director"), std::string::npos);
  EXPECT_NE(run(folder_.file("nobody")), 0);
  EXPECT_NE(ReadFile(folder_.file("out"))->find("unavailable: the signer does not answer at"), std::string::npos);
}

// --- Another HSM: here, SoftHSM2 with a token that pawl did not make ---

class OtherHsm : public ::testing::Test {
 protected:
  void SetUp() override {
    HsmSettings settings{kSoftHsmModule, "fleet", folder_.file("pin"), {{{"one", "two", "three", "four"}}}};
    ASSERT_TRUE(EnsureOwnToken(folder_.path(), settings, true));  // sets SOFTHSM2_CONF, which the signer inherits
  }
  void TearDown() override { unsetenv("SOFTHSM2_CONF"); }
  std::vector<std::string> Arguments(const std::string& configuration) {
    EXPECT_TRUE(WriteFileDurably(folder_.file("signer.toml"), configuration, 0600));
    return {"--dir",    folder_.file("signer"),     "--socket", folder_.file("socket"),
            "--config", folder_.file("signer.toml")};
  }
  std::string Configuration(const std::string& labels) const {
    return std::string("module = \"") + kSoftHsmModule + "\"\ntoken = \"fleet\"\npin_file = \"" + folder_.file("pin") +
           "\"\n[labels]\n" + labels;
  }

  TemporaryFolder folder_;
};

TEST_F(OtherHsm, ItsLabelsComeFromTheConfigurationFile) {
  SignerProcess process(Arguments(Configuration("image='one'\ndirector='two'\ndevice-ca='three'\nserver-ca='four'\n")));
  ASSERT_TRUE(process.WaitLog("msg=listening")) << process.log();
  const auto status = SignerClient(folder_.file("socket")).Status();
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->hsm_ready) << status->hsm_problem;
  EXPECT_EQ(status->token, "fleet");
  EXPECT_EQ(status->keys[0].label, "one");
  EXPECT_FALSE(fs::exists(folder_.file("signer/tokens")));
  EXPECT_FALSE(fs::exists(folder_.file("signer/pin")));
}

TEST_F(OtherHsm, AMissingKeyIsNamedAndNotMade) {
  SignerProcess process(Arguments(Configuration("image='one'\ndirector='two'\ndevice-ca='three'\nserver-ca='five'\n")));
  EXPECT_FALSE(process.WaitLog("msg=listening"));
  EXPECT_EQ(process.Wait(), 1);
  EXPECT_NE(process.log().find("no private EC key \\\"five\\\""), std::string::npos) << process.log();
}

TEST_F(OtherHsm, AMistakeInTheConfigurationFileIsNamed) {
  for (const auto& [configuration, word] :
       {std::pair("modul = 'x'\n", "modul"), std::pair("token = 7\n", "token"),
        std::pair("[labels]\nimg = 'x'\n", "img"), std::pair("token = \n", "line 1"),
        std::pair("server_names = 'x'\n", "server_names")}) {
    SignerProcess process(Arguments(configuration));
    EXPECT_FALSE(process.WaitLog("msg=listening"));
    EXPECT_EQ(process.Wait(), 1);
    EXPECT_NE(process.log().find(word), std::string::npos) << process.log();
  }
}

}  // namespace
}  // namespace pawl::sign
