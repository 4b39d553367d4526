#include "platform/io/data/why.h"

#include "platform/io/data/job_rows.h"

namespace pawl::data {
namespace {

std::string Running(const Device& device) {
  if (!device.told || device.told->running.empty()) return "nothing it has told";
  const wire::RunningComponent& running = device.told->running.front();
  return running.version + " in slot " + running.slot + " (" + std::string(wire::Text(running.mode)) + ")";
}

bool RunsConfirmed(const Device& device) {
  return device.told && !device.told->running.empty() && device.told->running.front().mode == wire::Mode::kNormal;
}

std::string Ended(const Job& job) {
  std::string text = "job " + std::to_string(job.n) + " (" + job.version + ") ";
  text += job.status == JobStatus::kRolledBack ? "was rolled back" : "was " + std::string(Text(job.status));
  if (job.reason != Reason::kNone) text.append(": ").append(Text(job.reason));
  if (!job.detail.empty()) text.append(job.reason == Reason::kNone ? ": " : ", ").append(job.detail);
  return text;
}

// The steps of an update in their order; the first that is not done is the verdict.
class Story {
 public:
  explicit Story(std::string device) { why_.device = std::move(device); }

  void Step(bool ok, std::string done, std::string_view verdict, std::string_view remedy) {
    why_.steps.push_back({std::move(done), ok});
    if (ok || !why_.verdict.empty()) return;
    why_.verdict = verdict;
    why_.remedy = remedy;
  }
  Why End(std::string verdict) && {
    if (why_.verdict.empty()) why_.verdict = std::move(verdict);
    return std::move(why_);
  }

 private:
  Why why_;
};

void TellDevice(Story& story, const Device& device) {
  const std::string& id = device.id;
  story.Step(device.pin.has_value(), "its key is enrolled", id + " has not enrolled",
             "Run on the device: pawl-agent enrol with its claim; a new claim: pawl device claim " + id);
  const bool admitted = device.state == DeviceState::kActive || device.state == DeviceState::kClaimed;
  std::string held = id + " is " + std::string(Text(device.state));
  if (!device.state_reason.empty()) held += ": " + device.state_reason;
  story.Step(admitted, "the registry lets it in", held, "When the cause is mended: pawl device activate " + id);
  story.Step(device.told.has_value(), "it has said hello", id + " has never said hello",
             "Check that its agent runs and reaches the broker.");
}

void TellTrial(Story& story, const Device& device, const Job& job) {
  story.Step(job.status >= JobStatus::kCommitted || !job.waiting.empty() || job.permitted,
             "it has asked for its permit", job.device + " has verified the image and has not asked for its permit yet",
             "Its own preconditions (battery, idle, window) may hold it back.");
  story.Step(job.permitted && job.waiting.empty(), "its permit is granted",
             "the permit is not granted: " + (job.waiting.empty() ? "the device has not asked" : job.waiting),
             "See the job's campaign and the HSM.");
  story.Step(job.status >= JobStatus::kCommitted, "it has committed to the reboot",
             job.device + " has its permit and has not rebooted yet", "Wait: a permit lives two minutes.");
  story.Step(job.status >= JobStatus::kTrial, "the new image has started",
             job.device + " is rebooting and has not been heard from since",
             "Wait for its trial; if it stays silent, look at the device.");
  const bool other = device.told && device.told->job && device.told->job->phase == wire::Phase::kSucceeded;
  story.Step(job.status == JobStatus::kSucceeded, "the new image is confirmed",
             other ? job.device + " says that it succeeded, but runs " + Running(device)
                   : job.device + " tries the new image, which has not confirmed yet",
             "Wait for its self-tests; they end within the trial budget.");
}

void TellJob(Story& story, const Device& device, const Job& job) {
  const bool over = platform::IsTerminal(job.status) && job.status != JobStatus::kSucceeded;
  story.Step(!over, "its newest job is open or succeeded", Ended(job), std::string(Describe(job.reason).remedy));
  if (over) return;
  story.Step(!job.cancelling, "nobody cancelled it", "its job is being cancelled", "Start another campaign.");
  const std::string waiting = job.waiting.empty() ? "its job has not been sent yet" : job.waiting;
  story.Step(job.status >= JobStatus::kOffered, "the job was sent", "its job is queued: " + waiting,
             "It is sent when the device says hello.");
  story.Step(job.status >= JobStatus::kAccepted, "the device took it",
             job.timed_out ? job.device + " has not acknowledged its job in time" : "its job was sent just now",
             "If it does not answer: pawl job retry, and look at the device's log.");
  story.Step(job.status >= JobStatus::kVerified, "the image is downloaded and verified",
             job.device + " is downloading the image", "Wait; pawl job shows its progress.");
  TellTrial(story, device, job);
}

// What to look at besides, when a device that a gateway speaks for is offline.
std::string AboutGateway(const Device& device) {
  if (device.connected || device.via.empty()) return {};
  return " It speaks through the gateway " + device.via + ": check that this one runs, its agent for " + device.id +
         ", and the line between them.";
}

}  // namespace

Result<Why> WhyNotUpdated(sql::Tx& tx, std::string_view id) {
  PAWL_ASSIGN(const Device device, GetDevice(tx, id));
  PAWL_ASSIGN(const auto newest, NewestJobOf(tx, id));
  Story story(device.id);
  TellDevice(story, device);
  if (newest) TellJob(story, device, newest->job);
  // Last, though it comes first on the way: a job that ended says more than a link that is down.
  const bool needs_link = !newest || !platform::IsTerminal(newest->job.status);
  if (needs_link) {
    story.Step(device.connected, "it is connected", device.id + " is not connected",
               "Check its network and its agent.");
  }
  story.Step(newest.has_value(), "it has a job", "nobody has given " + device.id + " a job",
             "Create a campaign for it.");
  Why why = std::move(story).End(device.id + " is up to date: it runs " + Running(device));
  if (!why.remedy.empty()) why.remedy += AboutGateway(device);
  return why;
}

Health HealthOf(const Device& device) {
  if (device.state != DeviceState::kActive) return {false, std::string(Text(device.state))};
  if (!device.told) return {false, "never heard from"};
  if (device.told->owed) return {false, "rolled back: " + std::string(Text(device.told->owed->reason))};
  if (device.told->emergency && device.told->emergency->reason != Reason::kNone) {
    return {false, "its bootloader had to act: " + std::string(Text(device.told->emergency->reason))};
  }
  if (!RunsConfirmed(device)) return {false, "runs " + Running(device)};
  if (!device.connected) {
    return {false, device.via.empty() ? "not connected" : "not connected; speaks through " + device.via};
  }
  return {true, "runs " + Running(device)};
}

}  // namespace pawl::data
