// What each command does, apart from the reading of the command line. One function per command; all print to standard
// output and return how it went.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/api.h"
#include "cli/config.h"
#include "cli/outcome.h"
#include "cli/terminal.h"

namespace pawl::cli {

// The platform, and what the program stands in.
struct Session {
  Api api;
  Terminal terminal;
  // --timeout for --wait and watch; nothing: no limit.
  std::optional<std::chrono::seconds> patience;
};

// --- login, tokens ---

struct LoginOptions {
  ProfileFlags flags;
  int timeout_s = 30;
};
struct NewTokenOptions {
  std::string name;
  std::vector<std::string> scopes;
  std::string expires_in;  // a duration; empty: never
  std::string out;         // empty: ./NAME.token
};
Done Login(const Terminal& terminal, const LoginOptions& options);
Done Logout(const Terminal& terminal);
Done WhoAmI(Session& session);
Done CreateToken(Session& session, const NewTokenOptions& options);
Done ListTokens(Session& session, std::size_t limit);
Done RevokeToken(Session& session, const std::string& id);

// --- classes, artifacts, releases ---

struct NewClassOptions {
  std::string name;
  std::string vendor;
  std::uint64_t slot_bytes = 0;
  std::uint64_t watchdog_s = 0;
  std::uint64_t max_trial_budget_s = 0;
  std::optional<std::uint64_t> patience_s;
  std::optional<std::uint64_t> min_board_revision;
  std::optional<std::uint64_t> max_board_revision;
};
struct NewReleaseOptions {
  std::string device_class;
  std::string version;
  std::string file;      // uploaded first; else
  std::string artifact;  // a digest
  std::optional<std::uint64_t> security_version;
  std::optional<std::uint64_t> min_board_revision;
  std::optional<std::uint64_t> trial_budget_s;
  std::string use_before;
  bool wait = false;
};
Done CreateClass(Session& session, const NewClassOptions& options);
Done ListClasses(Session& session, std::size_t limit);
Done ShowClass(Session& session, const std::string& name);
Done SaveAnchors(Session& session, const std::string& name, const std::string& out);

Done UploadArtifact(Session& session, const std::string& file, const std::string& name);
Done ListArtifacts(Session& session, std::size_t limit);
Done ShowArtifact(Session& session, const std::string& digest);
Done DownloadArtifact(Session& session, const std::string& digest, const std::string& out);
Done DeleteArtifact(Session& session, const std::string& digest);

Done CreateRelease(Session& session, const NewReleaseOptions& options);
Done ListReleases(Session& session, const std::string& device_class, std::size_t limit);
Done ShowRelease(Session& session, const std::string& id);
Done SaveEnvelope(Session& session, const std::string& id, const std::string& out);

// --- devices ---

struct ClaimOptions {
  std::string id;
  std::string device_class;
  std::optional<std::uint64_t> board_revision;
  std::vector<std::string> attributes;  // name=value
  std::string out;                      // empty: ./ID.claim; "-": standard output
  bool again = false;                   // a new claim for a device that is registered
};
struct DeviceFilter {
  std::string state;
  std::string device_class;
  std::vector<std::string> attributes;  // name=value
  std::string id_glob;
  std::string via;
  std::size_t limit = 0;
};
Done ClaimDevice(Session& session, const ClaimOptions& options);
Done ListDevices(Session& session, const DeviceFilter& filter);
Done ShowDevice(Session& session, const std::string& id);
// verb: suspend, activate, quarantine or decommission.
Done ChangeDevice(Session& session, const std::string& id, const std::string& verb, const std::string& reason);
Done Why(Session& session, const std::string& id);

// --- campaigns and jobs ---

struct NewCampaignOptions {
  std::string name;
  std::string release;
  std::vector<std::string> devices;
  bool all = false;
  std::string filter;  // class=NAME,attribute.KEY=VALUE,id=GLOB,via=GATEWAY
  bool watch = false;
};
struct JobFilter {
  std::string campaign;
  std::string device;
  std::string state;
  std::size_t limit = 0;
};
Done CreateCampaign(Session& session, const NewCampaignOptions& options);
Done ListCampaigns(Session& session, std::size_t limit);
Done ShowCampaign(Session& session, const std::string& id);
Done CampaignStatus(Session& session, const std::string& id);
// verb: cancel, pause or resume.
Done ChangeCampaign(Session& session, const std::string& id, const std::string& verb, const std::string& reason);
Done RetryCampaign(Session& session, const std::string& id, const std::vector<std::string>& states);

Done ListJobs(Session& session, const JobFilter& filter);
Done ShowJob(Session& session, const std::string& id);
// verb: cancel or lost.
Done ChangeJob(Session& session, const std::string& id, const std::string& verb, const std::string& reason);
Done RetryJob(Session& session, const std::string& id);

// Shows a campaign until it ends. kFailed unless every device succeeded.
Done WatchCampaign(Session& session, const std::string& id);

// --- events and the platform ---

struct EventOptions {
  std::string device;
  std::string campaign;
  std::string kind;
  std::size_t last = 20;
  std::optional<std::uint64_t> after;
  bool follow = false;
};
Done Events(Session& session, const EventOptions& options);
Done ListAudit(Session& session, std::size_t limit);
Done VerifyAudit(Session& session);
Done ListReasons(Session& session);
Done Health(Session& session);
Done ShowVersion(Session& session);

}  // namespace pawl::cli
