// Drives the real pawl-machine with real images (test_image_main.cc), over its JSON log. No key here is a secret.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "boot/port/host/device_status.h"
#include "slots/file/file_flash.h"
#include "slots/file/machine_line.h"
#include "slots/record_store.h"
#include "trust/verify/test_signer.h"

extern char** environ;

namespace pawl {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using Clock = std::chrono::steady_clock;
using Bytes = std::vector<std::uint8_t>;

constexpr auto kPatience = std::chrono::seconds(60);
constexpr std::uint64_t kSlotBytes = 32 << 20;
constexpr Uuid kVendor{1};
constexpr Uuid kClass{2};
const test::TestKey kImageKey("machine test image");
const test::TestKey kStranger("machine test stranger");

Bytes ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void WriteAll(const fs::path& path, ByteView bytes) { std::ofstream(path, std::ios::binary) << AsText(bytes); }

// A child process whose standard output is read line by line.
class Child {
 public:
  Child() = default;
  explicit Child(std::vector<std::string> arguments) {
    int pipe[2];
    PAWL_ASSERT(::pipe2(pipe, O_CLOEXEC) == 0);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(pipe[1], 1);
      ::dup2(pipe[1], 2);
      ::execv(argv[0], argv.data());
      ::_exit(126);
    }
    ::close(pipe[1]);
    out_ = OwnedFd(pipe[0]);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  void Signal(int signal) const {
    if (pid_ > 0) ::kill(pid_, signal);
  }
  // The next line, or nothing at the end of the output. Fails the test at the deadline.
  std::optional<std::string> Line() {
    const auto deadline = Clock::now() + kPatience;
    for (;;) {
      if (const auto end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      pollfd fd{.fd = out_.get(), .events = POLLIN, .revents = 0};
      if (left <= 0 || ::poll(&fd, 1, static_cast<int>(left)) == 0) {
        ADD_FAILURE() << "no output in time";
        return std::nullopt;
      }
      char chunk[4096];
      const ssize_t n = ::read(out_.get(), chunk, sizeof(chunk));
      if (n <= 0) return std::nullopt;
      buffer_.append(chunk, static_cast<std::size_t>(n));
    }
  }
  std::string Rest() {
    std::string all;
    while (const auto line = Line()) all += *line + "\n";
    return all;
  }
  // The exit status, or -signal.
  int Wait() {
    if (pid_ <= 0) return -1;  // was waited for already
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_ = -1;
  OwnedFd out_;
  std::string buffer_;
};

struct Event {
  json::object object;
  std::string operator[](const char* name) const {
    const json::value* value = object.if_contains(name);
    return value != nullptr ? std::string(value->as_string()) : "";
  }
};

class MachineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "pawl-machine-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    work = name;
    dir = work / "device";
  }
  void TearDown() override {
    if (machine) StopBy(SIGTERM);  // switched off, it ends all that its image started
    machine.reset();
    fs::remove_all(work);
  }

  // --- Images ---

  static Bytes ImageOf(const std::string& behaviour) {
    static const Bytes program = ReadAll(PAWL_TEST_IMAGE);
    Bytes image = program;
    const std::string mark = "\nBEHAVE=" + behaviour;
    image.insert(image.end(), mark.begin(), mark.end());
    return image;
  }
  static Manifest ManifestOf(const Bytes& image, std::uint32_t major) {
    Manifest manifest;
    manifest.sequence = major;
    manifest.version = {.major = major};
    manifest.vendor = kVendor;
    manifest.cls = kClass;
    manifest.image_digest = crypto::Hash(image);
    manifest.image_bytes = image.size();
    manifest.security_version = major;
    manifest.trial_budget_s = 60;
    manifest.payload_digest = manifest.image_digest;
    manifest.payload_bytes = image.size();
    return manifest;
  }

  void Provision(const std::string& behaviour, std::uint32_t watchdog_ms = 20000) {
    KeyTable anchors;
    for (const char* root : {"root 1", "root 2", "root 3"})
      anchors.keys.push_back(test::TestKey(root).Entry(Role::kRoot));
    anchors.keys.push_back(kImageKey.Entry(Role::kImage));
    anchors.keys.push_back(test::TestKey("director").Entry(Role::kDirector));
    anchors.keys.push_back(test::TestKey("tls").Entry(Role::kTlsRoot));
    anchors.thresholds = {2, 1, 1, 1};
    Bytes buffer(kMaxAnchorsBytes);
    const auto size = EncodeAnchors(anchors, buffer);
    ASSERT_TRUE(size.has_value()) << size.error().detail.view();
    WriteAll(work / "anchors.cbor", ByteView(buffer).first(*size));
    const Bytes image = ImageOf(behaviour);
    WriteAll(work / "image", image);
    WriteAll(work / "envelope", test::SignManifest(test::Encode(ManifestOf(image, 1)), {&kImageKey}));
    Child init(InitArguments(watchdog_ms));
    const std::string output = init.Rest();
    ASSERT_EQ(init.Wait(), 0) << output;
  }
  std::vector<std::string> InitArguments(std::uint32_t watchdog_ms = 20000) {
    return {PAWL_MACHINE,
            "init",
            dir,
            "--anchors",
            work / "anchors.cbor",
            "--vendor",
            "01000000-0000-0000-0000-000000000000",
            "--class",
            "02000000-0000-0000-0000-000000000000",
            "--board-revision",
            "1",
            "--min-security-version",
            "1",
            "--slot-bytes",
            std::to_string(kSlotBytes),
            "--watchdog-ms",
            std::to_string(watchdog_ms),
            "--image",
            work / "image",
            "--envelope",
            work / "envelope"};
  }

  // Writes slot B as a device's agent would. Returns the manifest's digest.
  Digest WriteSlotB(const std::string& behaviour, std::uint32_t major = 2, const test::TestKey& key = kImageKey) {
    const Bytes image = ImageOf(behaviour);
    auto flash = FileFlash::Open(dir / "flash/slot_b.bin", kSlotFileOptions);
    EXPECT_TRUE(flash && EraseEnvelope(**flash) && (*flash)->Program(0, image));
    const Bytes manifest = test::Encode(ManifestOf(image, major));
    EXPECT_TRUE(WriteEnvelope(**flash, test::SignManifest(manifest, {&key})).has_value());
    return test::ManifestDigest(manifest);
  }
  void TellJob(const Digest& digest) {
    WriteAll(work / "job", digest);
    fs::rename(work / "job", dir / "data/job");
  }
  void FlipByte(const fs::path& path, std::streamoff at) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(at);
    const char byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(at);
    file.put(byte);
  }

  // --- The record, while the machine is off ---

  BootRecord Record() {
    FileFlash::Options options = kRecordFileOptions;
    options.read_only = true;
    auto flash = FileFlash::Open(dir / "flash/record.bin", options);
    EXPECT_TRUE(flash.has_value());
    const RecordState state = RecordStore(**flash).Peek();
    EXPECT_EQ(state.kind, RecordKind::kValid);
    return state.record;
  }
  void Store(const BootRecord& record) {
    auto flash = FileFlash::Open(dir / "flash/record.bin", kRecordFileOptions);
    RecordStore store(**flash);
    store.Load();
    ASSERT_TRUE(store.Commit(record).has_value());
  }
  void StoreTrial(const Digest& digest) {
    BootRecord record;
    record.proven = true;
    Store(*SetPending(record, Slot::kA, {.slot = Slot::kB, .job = 5, .manifest_digest = digest}));
  }

  // --- The machine ---

  void Start(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {PAWL_MACHINE, "--dir", dir, "--json-log"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    machine = std::make_unique<Child>(arguments);
  }
  int StopBy(int signal) {
    machine->Signal(signal);
    machine->Rest();
    return machine->Wait();
  }
  std::optional<Event> NextEvent() {
    const auto line = machine->Line();
    if (!line) return std::nullopt;
    boost::system::error_code malformed;
    const json::value value = json::parse(*line, malformed);
    if (malformed) {
      ADD_FAILURE() << "not an event: " << *line << "\n" << machine->Rest();
      return std::nullopt;
    }
    return Event{value.as_object()};
  }
  // The next event of this name. Anything else is passed over.
  Event Await(const std::string& name) {
    while (const auto event = NextEvent()) {
      if ((*event)["event"] == name) return *event;
    }
    ADD_FAILURE() << "the machine ended before it told of " << name;
    return {};
  }
  Event AwaitSerial(const std::string& text) {
    for (;;) {
      const Event event = Await("serial");
      if (event.object.empty() || event["text"].find(text) != std::string::npos) return event;
    }
  }
  // Where it boots next, as "row slot mode cause".
  std::string NextBoot() {
    const Event power = Await("power");
    const Event boot = Await("boot");
    return boot["row"] + " " + boot["slot"] + " " + boot["mode"] + " " + power["cause"];
  }
  // The image in A is confirmed, slot B written, its trial committed, and the reset asked for.
  void StageByFirmware(const std::string& behaviour, std::uint32_t watchdog_ms = 20000) {
    Provision("good", watchdog_ms);
    Start();
    AwaitSerial("confirmed");
    TellJob(WriteSlotB(behaviour));
    EXPECT_EQ(Await("ended")["cause"], "software");
  }

  fs::path work;
  fs::path dir;
  std::unique_ptr<Child> machine;
};

TEST_F(MachineTest, ANewDeviceBootsItsFactoryImageWhichConfirmsItself) {
  Provision("good");
  Start();
  EXPECT_EQ(NextBoot(), "B1 A unproven power");
  AwaitSerial("confirmed");
  EXPECT_TRUE(Record().proven);
  EXPECT_EQ(StopBy(SIGTERM), 0);
  Start();
  EXPECT_EQ(NextBoot(), "B8 A normal power");
  EXPECT_EQ(StopBy(SIGINT), 0);
}

TEST_F(MachineTest, AGoodUpdateEndsConfirmed) {
  StageByFirmware("good");
  EXPECT_EQ(NextBoot(), "B6 B trial software");
  EXPECT_NE(AwaitSerial("runs good in slot B")["text"].find("trial, cause software, trial 1, sv 2"), std::string::npos);
  AwaitSerial("confirmed");
  EXPECT_EQ(StopBy(SIGTERM), 0);
  const BootRecord record = Record();
  EXPECT_EQ(record.confirmed, Slot::kB);
  EXPECT_TRUE(record.proven && !record.pending && !record.owed);
  Start();
  EXPECT_EQ(NextBoot(), "B8 B normal power");
}

TEST_F(MachineTest, AFailedSelfTestIsARollbackAtOnceThatNamesTheTest) {
  StageByFirmware("fail");
  EXPECT_EQ(NextBoot(), "B6 B trial software");
  const Event rollback = Await("rollback");
  EXPECT_EQ(rollback["reason"], "self-test failed");
  EXPECT_EQ(rollback["detail"], "memory");
  EXPECT_EQ(Await("boot")["rows"], "B4 B8");
  EXPECT_EQ(StopBy(SIGTERM), 0);
  EXPECT_TRUE(Record().owed);
  EXPECT_EQ(Record().reason, Reason::kSelfTestFailed);
}

TEST_F(MachineTest, AFirmwareThatHangsIsResetByTheWatchdogThreeTimesAndRolledBack) {
  StageByFirmware("hang", 1500);
  EXPECT_EQ(NextBoot(), "B6 B trial software");
  EXPECT_EQ(Await("ended")["cause"], "watchdog");
  EXPECT_EQ(NextBoot(), "B6 B trial watchdog");
  EXPECT_EQ(NextBoot(), "B6 B trial watchdog");
  EXPECT_EQ(Await("rollback")["reason"], "watchdog");
  EXPECT_EQ(Await("boot")["rows"], "B7 B8");
  AwaitSerial("runs good in slot A");
  EXPECT_EQ(StopBy(SIGTERM), 0);
  EXPECT_EQ(Record().reason, Reason::kWatchdog);
  EXPECT_TRUE(Record().owed);
}

// C6
TEST_F(MachineTest, AFirmwareThatEndsByItselfGetsExactlyItsAttempts) {
  for (const char* behaviour : {"crash", "exit"}) {
    fs::remove_all(dir);
    StageByFirmware(behaviour);
    EXPECT_EQ(NextBoot(), "B6 B trial software");
    EXPECT_NE(Await("ended")["text"].find(behaviour == std::string("crash") ? "signal 4" : "exit status 7"),
              std::string::npos);
    EXPECT_EQ(NextBoot(), "B6 B trial other");
    EXPECT_EQ(NextBoot(), "B6 B trial other");
    EXPECT_EQ(Await("rollback")["reason"], "crash");
    EXPECT_EQ(Await("boot")["slot"], "A");
    EXPECT_EQ(StopBy(SIGTERM), 0);
    EXPECT_EQ(Record().attempts_left, 0);
  }
}

TEST_F(MachineTest, QuickEndsInARowMakeTheMachineWaitLonger) {
  Provision("exit");
  Start();
  std::vector<std::string> waits;
  while (waits.size() < 6) waits.push_back(Await("wait")["text"]);
  EXPECT_NE(waits[0].find(" 100 ms"), std::string::npos);
  EXPECT_NE(waits[1].find(" 200 ms"), std::string::npos);
  EXPECT_NE(waits[5].find(" 2000 ms"), std::string::npos);
}

TEST_F(MachineTest, ATrialThatNeverConfirmsEndsAfterEightPowerLossesWithReasonPower) {
  StageByFirmware("never");
  EXPECT_EQ(NextBoot(), "B6 B trial software");
  for (int loss = 0; loss < 8; ++loss) {
    AwaitSerial("runs never");
    machine->Signal(SIGUSR1);
    EXPECT_EQ(NextBoot(), "B5 B trial power");
  }
  AwaitSerial("runs never");
  machine->Signal(SIGUSR1);
  EXPECT_EQ(Await("rollback")["reason"], "power");
  EXPECT_EQ(Await("boot")["slot"], "A");
}

TEST_F(MachineTest, ThePowerStaysOffUntilItIsSwitchedOnAgain) {
  Provision("good");
  Start();
  AwaitSerial("confirmed");
  machine->Signal(SIGUSR2);
  EXPECT_EQ(Await("power")["cause"], "gone");
  machine->Signal(SIGUSR1);  // nothing to fail
  machine->Signal(SIGUSR2);
  EXPECT_EQ(NextBoot(), "B8 A normal power");
  AwaitSerial("runs good");
  machine->Signal(SIGUSR2);
  EXPECT_EQ(Await("power")["cause"], "gone");
  EXPECT_EQ(StopBy(SIGTERM), 0);
}

// C1: between the firmware's check and the reboot.
TEST_F(MachineTest, AByteOfThePendingSlotThatIsFlippedBeforeTheRebootIsFoundAndReported) {
  Provision("good");
  StoreTrial(WriteSlotB("good"));
  FlipByte(dir / "flash/slot_b.bin", 4321);
  Start();
  const Event rollback = Await("rollback");
  EXPECT_EQ(rollback["reason"], "invalid image");
  EXPECT_EQ(rollback["detail"], "image digest");
  EXPECT_EQ(Await("boot")["slot"], "A");
  EXPECT_EQ(StopBy(SIGTERM), 0);
  EXPECT_TRUE(Record().owed);
}

// C5
TEST_F(MachineTest, ATamperedRecordNeverBootsWhatDoesNotVerify) {
  Provision("good");
  const Digest forged = WriteSlotB("good", 2, kStranger);
  StoreTrial(forged);
  Start();
  EXPECT_EQ(NextBoot(), "B8 A normal power");
  EXPECT_EQ(StopBy(SIGTERM), 0);
  EXPECT_EQ(Record().detail.view().substr(0, 17), "invalid signature");

  BootRecord lie;
  lie.confirmed = Slot::kB;
  lie.proven = true;
  Store(lie);
  Start();
  EXPECT_EQ(NextBoot(), "B9 A unproven power");
  AwaitSerial("confirmed");
  EXPECT_EQ(StopBy(SIGTERM), 0);
  EXPECT_EQ(Record().emergency_reason, Reason::kConfirmedInvalid);

  for (const std::uint8_t filling : {std::uint8_t{0x00}, std::uint8_t{0x5A}, std::uint8_t{0xFF}}) {
    WriteAll(dir / "flash/record.bin", Bytes(8192, filling));
    Start();
    EXPECT_EQ(NextBoot(), filling == 0xFF ? "B1 A unproven power" : "B2 A unproven power");
    EXPECT_EQ(StopBy(SIGTERM), 0);
  }
}

// A7: a genuine image below the floor.
TEST_F(MachineTest, AGenuineImageBelowTheFloorIsRefusedEvenIfItIsPending) {
  Provision("good");
  BootRecord record;
  record.confirmed = Slot::kB;
  record.proven = true;
  record.floor = 2;
  WriteSlotB("good", 2);
  // Slot A holds the genuine version 1 with security version 1.
  const Digest old = test::ManifestDigest(test::Encode(ManifestOf(ImageOf("good"), 1)));
  Store(*SetPending(record, Slot::kB, {.slot = Slot::kA, .job = 6, .manifest_digest = old}));
  Start();
  EXPECT_EQ(Await("rollback")["detail"], "security version too low");
  EXPECT_EQ(Await("boot")["slot"], "B");
}

// C7
TEST_F(MachineTest, ASecondConfirmationIsRefused) {
  Provision("twice");
  Start();
  AwaitSerial("confirmed");
  EXPECT_NE(AwaitSerial("refused")["text"].find("F2"), std::string::npos);
}

// C8
TEST_F(MachineTest, WithNothingBootableTheMachineSaysWhatToDoAndTriesNothing) {
  Provision("good");
  StoreTrial(WriteSlotB("good"));
  FlipByte(dir / "flash/slot_a.bin", 100);
  FlipByte(dir / "flash/slot_b.bin", 100);
  Start({"--once"});
  EXPECT_NE(Await("recovery")["text"].find("Write a genuine image"), std::string::npos);
  machine->Rest();
  EXPECT_EQ(machine->Wait(), 3);
  EXPECT_EQ(Record().emergency_reason, Reason::kNothingBootable);
  EXPECT_TRUE(Record().owed);

  Start();
  Await("recovery");
  FlipByte(dir / "flash/slot_a.bin", 100);  // mended
  machine->Signal(SIGUSR1);
  EXPECT_EQ(NextBoot(), "B8 A normal power");
  EXPECT_EQ(StopBy(SIGTERM), 0);
}

// C10
TEST_F(MachineTest, AnAlteredWritableOrMissingRomIsRefusedByName) {
  Provision("good");
  const auto refuses = [this](const std::string& file, const std::string& why) {
    Start();
    const std::string text = Await("refused")["text"];
    EXPECT_NE(text.find(file), std::string::npos) << text;
    EXPECT_NE(text.find(why), std::string::npos) << text;
    machine->Rest();
    EXPECT_EQ(machine->Wait(), 2);
  };
  for (const char* name : {"anchors.cbor", "identity.cbor"}) {
    const fs::path path = dir / "rom" / name;
    const Bytes genuine = ReadAll(path);
    ::chmod(path.c_str(), 0644);
    refuses(name, "may be written");
    Bytes altered = genuine;
    altered.back() ^= 1;
    WriteAll(path, altered);
    ::chmod(path.c_str(), 0444);
    refuses(name, "not what this machine was made with");
    fs::remove(path);
    refuses(name, "missing");
    fs::create_symlink("/dev/null", path);
    refuses(name, "symbolic link");
    fs::remove(path);
    WriteAll(path, genuine);
    ::chmod(path.c_str(), 0444);
  }
  ::chmod((dir / "rom").c_str(), 0777);
  refuses("rom", "only its owner");
  ::chmod((dir / "rom").c_str(), 0755);
  Start();
  EXPECT_EQ(NextBoot(), "B1 A unproven power");
}

bool Alive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(stat), {}};
  const std::size_t end = text.rfind(')');
  return end != std::string::npos && text[end + 2] != 'Z';
}

TEST_F(MachineTest, AResetEndsWhatTheImageStartedEvenInASessionOfItsOwn) {
  Provision("spawn", 3000);
  Start();
  AwaitSerial("runs spawn");
  EXPECT_EQ(Await("ended")["cause"], "watchdog");
  pid_t grandchild = 0;
  std::ifstream(dir / "data/grandchild") >> grandchild;
  ASSERT_GT(grandchild, 1);
  EXPECT_FALSE(Alive(grandchild));
}

TEST_F(MachineTest, AKilledMachineTakesItsImageWithItAndTheNextOneEndsWhatIsLeft) {
  Provision("spawn", 20000);
  Start();
  AwaitSerial("runs spawn");
  const auto deadline = Clock::now() + kPatience;
  pid_t grandchild = 0;
  while (!(std::ifstream(dir / "data/grandchild") >> grandchild) && Clock::now() < deadline) ::poll(nullptr, 0, 5);
  ASSERT_GT(grandchild, 1);
  EXPECT_EQ(StopBy(SIGKILL), -SIGKILL);
  EXPECT_TRUE(Alive(grandchild));  // it had left; nobody was there to end it
  Start();
  EXPECT_EQ(NextBoot(), "B8 A unproven power");
  EXPECT_FALSE(Alive(grandchild));
}

// The machine is killed again and again while updates go on: each start finds a good image, and the last update ends
// well.
TEST_F(MachineTest, KilledAtAnyTimeItGoesOnWhereItWas) {
  Provision("good");
  const Digest digest = WriteSlotB("good");
  std::minstd_rand random(3);
  bool told = false;
  for (int round = 0; round < 40; ++round) {
    Start();
    const unsigned events = random() % 6;
    for (unsigned i = 0; i < events; ++i) NextEvent();
    if (!told && round > 4 && fs::exists(dir / "data")) {
      TellJob(digest);
      told = true;
    }
    if (events > 0 && round % 2 == 0) machine->Signal(SIGUSR1);
    EXPECT_EQ(StopBy(SIGKILL), -SIGKILL);
  }
  for (int round = 0;; ++round) {
    ASSERT_LT(round, 20);
    Start();
    const Event boot = Await("boot");
    const BootRecord record = Record();
    if (!record.pending && (record.confirmed == Slot::kB || record.owed)) break;
    AwaitSerial("runs good");
    if (!record.pending && !fs::exists(dir / "data/job")) TellJob(digest);
    if (boot["mode"] == "normal") Await("ended");
    if (boot["mode"] != "normal") AwaitSerial("confirmed");
    EXPECT_EQ(StopBy(SIGKILL), -SIGKILL);
  }
  EXPECT_EQ(Record().trial, 1U);
}

TEST_F(MachineTest, TwoMachinesDoNotRunOneDevice) {
  Provision("good");
  Start();
  AwaitSerial("confirmed");
  Child second({PAWL_MACHINE, "--dir", dir});
  EXPECT_NE(second.Rest().find("another pawl-machine runs"), std::string::npos);
  EXPECT_EQ(second.Wait(), 1);
}

TEST_F(MachineTest, StatusShowsRecordAndVerdictsAndWritesNothing) {
  Provision("good");
  WriteSlotB("good", 2, kStranger);
  Start();
  AwaitSerial("confirmed");
  const Bytes before = ReadAll(dir / "flash/record.bin");
  Child status({PAWL_MACHINE, "status", dir, "--json"});
  const json::object object = json::parse(status.Rest()).as_object();
  EXPECT_EQ(status.Wait(), 0);
  EXPECT_TRUE(object.at("running").as_bool());
  EXPECT_EQ(object.at("state").at("confirmed").as_string(), "A");
  EXPECT_TRUE(object.at("state").at("proven").as_bool());
  EXPECT_TRUE(object.at("slots").at("A").at("verifies").as_bool());
  EXPECT_EQ(object.at("slots").at("A").at("version").as_string(), "1.0.0");
  EXPECT_FALSE(object.at("slots").at("B").at("verifies").as_bool());
  EXPECT_EQ(object.at("slots").at("B").at("version").as_string(), "2.0.0");
  EXPECT_EQ(ReadAll(dir / "flash/record.bin"), before);
  Child text({PAWL_MACHINE, "status", dir});
  const std::string shown = text.Rest();
  EXPECT_NE(shown.find("confirmed  A\n"), std::string::npos) << shown;
  EXPECT_NE(shown.find("slot B     invalid signature"), std::string::npos) << shown;
}

TEST_F(MachineTest, SerialLogHoldsWhatBootloaderAndImagePrintWithTheTime) {
  Provision("good");
  Start();
  AwaitSerial("confirmed");
  EXPECT_EQ(StopBy(SIGTERM), 0);
  const Bytes bytes = ReadAll(dir / "serial.log");
  const std::string log(AsText(bytes));
  EXPECT_NE(log.find("Z boot: B1 slot A, version 1.0.0, mode unproven\n"), std::string::npos) << log;
  EXPECT_NE(log.find("Z confirmed\n"), std::string::npos) << log;
}

TEST_F(MachineTest, WrongUsageIsToldWithItsRemedy) {
  const auto tells = [](std::vector<std::string> arguments, int status, const std::string& text) {
    arguments.insert(arguments.begin(), PAWL_MACHINE);
    Child child(arguments);
    const std::string output = child.Rest();
    EXPECT_EQ(child.Wait(), status) << output;
    EXPECT_NE(output.find(text), std::string::npos) << output;
  };
  tells({}, 64, "--dir is required");
  tells({"--nonsense"}, 64, "--nonsense");
  tells({"--version"}, 0, "pawl-machine ");
  tells({"--help"}, 0, "SIGUSR1");
  tells({"--dir", work / "nowhere"}, 1, "nowhere");
  tells({"--dir", work}, 1, "make one: pawl-machine init");
  tells({"status", work}, 1, "machine.toml");
  Provision("good");
  std::vector<std::string> init = InitArguments();
  init.erase(init.begin());
  tells(init, 1, "holds a machine already");
  WriteAll(dir / "machine.toml", AsBytes("version = 1\nwatchdog_ms = \"soon\"\n"));
  tells({"--dir", dir}, 1, "watchdog_ms");
  WriteAll(dir / "machine.toml", AsBytes("version = 2\n"));
  tells({"--dir", dir}, 1, "version 2");
  WriteAll(dir / "machine.toml", AsBytes("version = \n"));
  tells({"--dir", dir}, 1, "line 1");
}

TEST_F(MachineTest, AFactoryThatWouldMakeADeadDeviceIsToldSo) {
  Provision("good");
  fs::remove_all(dir);
  WriteAll(work / "envelope", test::SignManifest(test::Encode(ManifestOf(ImageOf("good"), 1)), {&kStranger}));
  Child init(InitArguments());
  EXPECT_NE(init.Rest().find("the image would not boot on this device: invalid signature"), std::string::npos);
  EXPECT_EQ(init.Wait(), 1);
  EXPECT_FALSE(fs::exists(dir / "machine.toml"));
}

}  // namespace
}  // namespace pawl
