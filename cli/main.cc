// pawl: the operator's command line. Reads it and calls the command; all else is in commands.h.
#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>

#include "base/version.h"
#include "cli/commands.h"
#include "cli/manual.h"
#include "cli/text.h"

namespace pawl::cli {
namespace {

constexpr const char* kFooter =
    R"(Where the platform is and who asks: --url, --ca and --token-file, else PAWL_URL, PAWL_CA and PAWL_TOKEN,
else what `pawl login` has stored in $PAWL_CONFIG or ~/.config/pawl/config.toml. A token is never an argument.

Exit status:
  0    done
  1    the thing itself failed: a watched campaign did not succeed everywhere, a release was refused
  2    wrong usage, or a value that the platform does not allow
  3    there is no such thing
  4    refused: it exists already, or is in a state that does not allow this
  5    not logged in, or the token does not allow this
  6    the platform, or a part of it, does not answer
  7    --timeout was over before the end that --wait or watch waits for
  130  interrupted

With --json standard output carries the API's JSON as it is (api/openapi.yaml), a refusal too: {"error": ...};
`pawl events -f --json` prints one event a line. Times in tables are relative on a terminal, else UTC.
NO_COLOR=1 turns colours off.
)";

using Command = std::function<Done()>;

struct Globals {
  ProfileFlags flags;
  int timeout_s = 0;  // 0: not given
  bool json = false;
};

constexpr int kDefaultTimeoutS = 30;

Outcome<Session> Connect(const Globals& globals, const Terminal& terminal, bool needs_token) {
  CLI_ASSIGN(const Profile profile, ResolveProfile(globals.flags));
  if (needs_token && profile.token.empty()) {
    return Fail(Exit::kAuth, "no token for " + profile.url,
                "log in: pawl login --url " + profile.url + " --ca FILE; or set PAWL_TOKEN");
  }
  const int timeout_s = globals.timeout_s > 0 ? globals.timeout_s : kDefaultTimeoutS;
  Session session{Api({profile.url, profile.ca, profile.token, timeout_s}), terminal, {}};
  if (globals.timeout_s > 0) session.patience = std::chrono::seconds(globals.timeout_s);
  return session;
}

// The command line: CLI11's tree, the values it fills, and the command that was chosen.
class CommandLine {
 public:
  CommandLine() {
    app_.description("pawl sends firmware to devices, and never lets them slip back.");
    app_.footer(kFooter);
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.set_version_flag("--version", std::string("pawl ") + std::string(kVersion), "Show pawl's version.");
    app_.set_help_flag("-h,--help", "Show this help.");
    app_.add_option("--url", globals_.flags.url, "The platform's operator API, https://host:port.")->type_name("URL");
    app_.add_option("--ca", globals_.flags.ca, "The platform's CA certificate, ca.pem (default: the system's CAs).")
        ->type_name("FILE");
    app_.add_option("--token-file", globals_.flags.token_file, "A file that holds the token; - reads standard input.")
        ->type_name("FILE");
    app_.add_option(
            "--timeout", globals_.timeout_s,
            "Seconds to wait for an answer (default 30); with --wait or watch, for the end (default: no limit).")
        ->type_name("SECONDS")
        ->check(Between(1, 1'000'000));
    app_.add_flag("--json", globals_.json, "Print the API's JSON.");
    AddAccess();
    AddClasses();
    AddArtifacts();
    AddReleases();
    AddDevices();
    AddCampaigns();
    AddJobs();
    AddPlatform();
    AddSelf();
  }

  CLI::App& app() { return app_; }
  const Globals& globals() const { return globals_; }
  const Command& command() const { return command_; }

 private:
  // A group of commands: `pawl device ...`.
  CLI::App* Group(const std::string& name, const std::string& help) {
    CLI::App* group = app_.add_subcommand(name, help);
    group->require_subcommand(1);
    group->fallthrough();
    return group;
  }

  // A command that speaks to the platform: run(session).
  template <class Run>
  CLI::App* Add(CLI::App* parent, const std::string& name, const std::string& help, Run run, bool needs_token = true) {
    return AddLocal(parent, name, help, [this, run, needs_token]() -> Done {
      CLI_ASSIGN(Session session, Connect(globals_, Terminal::Detect(globals_.json), needs_token));
      return run(session);
    });
  }

  // A command that may do without.
  CLI::App* AddLocal(CLI::App* parent, const std::string& name, const std::string& help, Command run) {
    CLI::App* command = parent->add_subcommand(name, help);
    command->fallthrough();
    command->callback([this, run = std::move(run)] { command_ = run; });
    return command;
  }

  // A rule over several options.
  static void Require(CLI::App* command, const std::function<bool()>& holds, const std::string& what) {
    command->parse_complete_callback([holds, what] {
      if (!holds()) throw CLI::RequiredError(what);
    });
  }
  // Without CLI11's own words in the help.
  static CLI::Validator Between(int low, int high) { return CLI::Range(low, high).description(""); }
  static void AddLimit(CLI::App* command, std::size_t& limit) {
    command->add_option("--limit", limit, "At most so many (default: all).")
        ->type_name("N")
        ->check(Between(1, 1'000'000));
  }
  static void AddReason(CLI::App* command, std::string& reason) {
    command->add_option("--reason", reason, "Why; kept in the audit log.")->type_name("TEXT");
  }
  static CLI::Option* AddId(CLI::App* command, const std::string& name, std::string& id) {
    const CLI::Validator not_empty(
        [](const std::string& text) { return text.empty() ? std::string("is empty") : std::string(); }, "");
    return command->add_option(name, id)->required()->check(not_empty);
  }
  static void AddOut(CLI::App* command, std::string& out) {
    command->add_option("--out", out, "Where to; - is standard output.")->required()->type_name("FILE");
  }

  void AddAccess() {
    AddLocal(&app_, "login",
             "Check a token and keep it, with URL and CA. Asks for the token, or takes --token-file or PAWL_TOKEN.",
             [this] {
               return Login(Terminal::Detect(globals_.json),
                            {globals_.flags, globals_.timeout_s > 0 ? globals_.timeout_s : kDefaultTimeoutS});
             });
    AddLocal(&app_, "logout", "Forget what login has stored.",
             [this] { return Logout(Terminal::Detect(globals_.json)); });
    Add(&app_, "whoami", "Show the token in use.", WhoAmI);

    CLI::App* token = Group("token", "Operator tokens.");
    CLI::App* create = Add(token, "create", "Make a token. It goes into a private file.",
                           [this](Session& s) { return CreateToken(s, new_token_); });
    AddId(create, "NAME", new_token_.name)->description("For people, unique.");
    create->add_option("--scope", new_token_.scopes, "What it allows; may be repeated. admin stands for all.")
        ->required()
        ->type_name("SCOPE")
        ->check(CLI::IsMember({"read", "devices", "releases", "campaigns", "tokens", "admin"}));
    create->add_option("--expires-in", new_token_.expires_in, "For example 12h or 30d (default: never).")
        ->type_name("SPAN");
    create->add_option("--out", new_token_.out, "Where the token goes (default ./NAME.token); - is standard output.")
        ->type_name("FILE");
    AddLimit(Add(token, "list", "List the tokens.", [this](Session& s) { return ListTokens(s, limit_); }), limit_);
    AddId(Add(token, "revoke", "Revoke a token, at once.", [this](Session& s) { return RevokeToken(s, id_); }), "TOKEN",
          id_)
        ->description("Its id.");
  }

  void AddClasses() {
    CLI::App* group = Group("class", "Hardware classes.");
    CLI::App* create =
        Add(group, "create", "Make a hardware class.", [this](Session& s) { return CreateClass(s, new_class_); });
    AddId(create, "NAME", new_class_.name)->description("Lower case, digits, '.', '_', '-'.");
    create->add_option("--vendor", new_class_.vendor, "The vendor's domain.")->required()->type_name("DOMAIN");
    create->add_option("--slot-bytes", new_class_.slot_bytes, "Size of one slot.")->required()->type_name("N");
    create->add_option("--watchdog-s", new_class_.watchdog_s, "The hardware watchdog's window.")
        ->required()
        ->type_name("SECONDS");
    create
        ->add_option("--max-trial-budget-s", new_class_.max_trial_budget_s,
                     "The longest trial that a release may ask for.")
        ->required()
        ->type_name("SECONDS");
    create
        ->add_option("--patience-s", new_class_.patience_s,
                     "How long a trial waits for a silent platform (default 900).")
        ->type_name("SECONDS");
    create->add_option("--min-board-revision", new_class_.min_board_revision, "The lowest board revision (default 0).")
        ->type_name("N");
    create
        ->add_option("--max-board-revision", new_class_.max_board_revision,
                     "The highest board revision (default: none).")
        ->type_name("N");
    AddLimit(Add(group, "list", "List the classes.", [this](Session& s) { return ListClasses(s, limit_); }), limit_);
    AddId(Add(group, "show", "Show a class.", [this](Session& s) { return ShowClass(s, id_); }), "NAME", id_)
        ->description("The class.");
    CLI::App* anchors = Add(group, "anchors", "Write the trust anchors for the ROM of its devices.",
                            [this](Session& s) { return SaveAnchors(s, id_, out_); });
    AddId(anchors, "NAME", id_)->description("The class.");
    AddOut(anchors, out_);
  }

  void AddArtifacts() {
    CLI::App* group = Group("artifact", "Stored firmware files, named by their SHA-256.");
    CLI::App* upload =
        Add(group, "upload", "Store a file.", [this](Session& s) { return UploadArtifact(s, file_, name_); });
    AddId(upload, "FILE", file_)->description("The file.");
    upload->add_option("--name", name_, "Its name for people (default: the file's).")->type_name("TEXT");
    AddLimit(Add(group, "list", "List the artifacts.", [this](Session& s) { return ListArtifacts(s, limit_); }),
             limit_);
    AddId(Add(group, "show", "Show an artifact.", [this](Session& s) { return ShowArtifact(s, id_); }), "DIGEST", id_)
        ->description("Its SHA-256.");
    CLI::App* download = Add(group, "download", "Fetch an artifact, and check its SHA-256.",
                             [this](Session& s) { return DownloadArtifact(s, id_, out_); });
    AddId(download, "DIGEST", id_)->description("Its SHA-256.");
    AddOut(download, out_);
    AddId(Add(group, "delete", "Delete an artifact that no release uses.",
              [this](Session& s) { return DeleteArtifact(s, id_); }),
          "DIGEST", id_)
        ->description("Its SHA-256.");
  }

  void AddReleases() {
    CLI::App* group = Group("release", "Artifacts with a signed manifest.");
    CLI::App* create =
        Add(group, "create", "Have a release signed: of a stored artifact, or of a file that is uploaded first.",
            [this](Session& s) { return CreateRelease(s, new_release_); });
    CLI::Option* file = create->add_option("FILE", new_release_.file, "The firmware, uploaded first; or --artifact.");
    CLI::Option* artifact = create->add_option("--artifact", new_release_.artifact, "The SHA-256 of a stored artifact.")
                                ->type_name("DIGEST");
    file->excludes(artifact);
    create->add_option("--class", new_release_.device_class, "The class of devices that it is for.")
        ->required()
        ->type_name("CLASS");
    create->add_option("--version", new_release_.version, "Its version: 2.1.0, 2.2.0-rc.1.")
        ->required()
        ->type_name("VERSION");
    create->add_option("--security-version", new_release_.security_version, "Its security version (default 0).")
        ->type_name("N");
    create
        ->add_option("--min-board-revision", new_release_.min_board_revision,
                     "The lowest board revision that it runs on (default 0).")
        ->type_name("N");
    create
        ->add_option("--trial-budget-s", new_release_.trial_budget_s,
                     "How long its self-tests may take (default: the class's maximum).")
        ->type_name("SECONDS");
    create
        ->add_option("--use-before", new_release_.use_before,
                     "Not to be installed after this time: 2030-01-01T00:00:00Z.")
        ->type_name("TIME");
    create->add_flag("--wait", new_release_.wait, "Wait until it is signed.");
    Require(create, [file, artifact] { return file->count() + artifact->count() > 0; }, "FILE or --artifact");
    CLI::App* list =
        Add(group, "list", "List the releases.", [this](Session& s) { return ListReleases(s, class_, limit_); });
    list->add_option("--class", class_, "Only this class's.")->type_name("CLASS");
    AddLimit(list, limit_);
    AddId(Add(group, "show", "Show a release.", [this](Session& s) { return ShowRelease(s, id_); }), "RELEASE", id_)
        ->description("Its id.");
    CLI::App* envelope =
        Add(group, "envelope", "Write the signed manifest.", [this](Session& s) { return SaveEnvelope(s, id_, out_); });
    AddId(envelope, "RELEASE", id_)->description("Its id.");
    AddOut(envelope, out_);
  }

  void AddDevices() {
    CLI::App* group = Group("device", "The registry of devices.");
    CLI::App* claim = Add(group, "claim", "Register a device. The token with which it enrols goes into a private file.",
                          [this](Session& s) { return ClaimDevice(s, claim_); });
    AddId(claim, "DEVICE", claim_.id)->description("Its id: lower case, digits, '.', '_', '-'.");
    CLI::Option* device_class =
        claim->add_option("--class", claim_.device_class, "Its hardware class (needed but with --again).")
            ->type_name("CLASS");
    claim->add_option("--board-revision", claim_.board_revision, "Its board revision (default 0).")->type_name("N");
    claim->add_option("--attribute", claim_.attributes, "For filters; may be repeated.")->type_name("NAME=VALUE");
    claim->add_option("--out", claim_.out, "Where the token goes (default ./DEVICE.claim); - is standard output.")
        ->type_name("FILE");
    CLI::Option* again =
        claim->add_flag("--again", claim_.again, "A new claim for a registered device; the one before is void.");
    Require(claim, [again, device_class] { return again->count() + device_class->count() > 0; }, "--class");
    AddDeviceList(group);
    AddId(Add(group, "show", "Show a device and its job.", [this](Session& s) { return ShowDevice(s, id_); }), "DEVICE",
          id_)
        ->description("Its id.");
    AddDeviceChange(group, "suspend", "Shut a device out, at once; its job waits.");
    AddDeviceChange(group, "activate", "Let a suspended or quarantined device in again.");
    AddDeviceChange(group, "quarantine", "Shut out a device that is not trusted.");
    CLI::App* end = AddDeviceChange(group, "decommission", "Take a device out of service for good.");
    end->add_flag("--yes", yes_, "There is no way back: needed.")->required();
    AddId(Add(&app_, "why", "Say why a device has not updated.", [this](Session& s) { return Why(s, id_); }), "DEVICE",
          id_)
        ->description("Its id.");
  }

  void AddDeviceList(CLI::App* group) {
    CLI::App* list = Add(group, "list", "List the devices.", [this](Session& s) {
      devices_.limit = limit_;
      return ListDevices(s, devices_);
    });
    list->add_option("--state", devices_.state, "Only in this state.")
        ->type_name("STATE")
        ->check(CLI::IsMember({"claimed", "active", "suspended", "quarantined", "decommissioned"}));
    list->add_option("--class", devices_.device_class, "Only of this class.")->type_name("CLASS");
    list->add_option("--attribute", devices_.attributes, "Only with this attribute; may be repeated.")
        ->type_name("NAME=VALUE");
    list->add_option("--id", devices_.id_glob, "Only with an id like this; * and ? match.")->type_name("GLOB");
    list->add_option("--via", devices_.via, "Only those that this gateway speaks for.")->type_name("GATEWAY");
    AddLimit(list, limit_);
  }

  CLI::App* AddDeviceChange(CLI::App* group, const std::string& verb, const std::string& help) {
    CLI::App* command =
        Add(group, verb, help, [this, verb](Session& s) { return ChangeDevice(s, id_, verb, reason_); });
    AddId(command, "DEVICE", id_)->description("Its id.");
    AddReason(command, reason_);
    return command;
  }

  void AddCampaigns() {
    CLI::App* group = Group("campaign", "A release going to many devices.");
    CLI::App* create = Add(group, "create", "Send a release to devices: exactly one of --device, --filter, --all.",
                           [this](Session& s) { return CreateCampaign(s, new_campaign_); });
    create->add_option("--name", new_campaign_.name, "Its name, for people.")->required()->type_name("TEXT");
    create->add_option("--release", new_campaign_.release, "The release's id.")->required()->type_name("RELEASE");
    create->add_option("--device", new_campaign_.devices, "A device; may be repeated.")->type_name("DEVICE");
    create
        ->add_option("--filter", new_campaign_.filter,
                     "class=NAME,attribute.KEY=VALUE,id=GLOB,via=GATEWAY; all parts must hold.")
        ->type_name("FILTER");
    create->add_flag("--all", new_campaign_.all, "Every device of the release's class.");
    create->add_flag("--watch", new_campaign_.watch, "Watch it until it ends.");
    AddLimit(Add(group, "list", "List the campaigns.", [this](Session& s) { return ListCampaigns(s, limit_); }),
             limit_);
    AddCampaign(group, "show", "Show a campaign and its jobs.", [this](Session& s) { return ShowCampaign(s, id_); });
    AddCampaign(group, "status", "Show how many devices are in which state.",
                [this](Session& s) { return CampaignStatus(s, id_); });
    AddCampaign(group, "watch", "Watch a campaign until it ends; exit status 0 only if every device succeeded.",
                [this](Session& s) { return WatchCampaign(s, id_); });
    const std::pair<const char*, const char*> verbs[] = {{"cancel", "Cancel what has not committed."},
                                                         {"pause", "Grant no permit until it is resumed."},
                                                         {"resume", "Go on with a paused campaign."}};
    for (const auto& [verb, help] : verbs) {
      const std::string name = verb;
      AddReason(
          AddCampaign(group, name, help, [this, name](Session& s) { return ChangeCampaign(s, id_, name, reason_); }),
          reason_);
    }
    CLI::App* retry = AddCampaign(group, "retry", "New jobs for devices that did not succeed.",
                                  [this](Session& s) { return RetryCampaign(s, id_, states_); });
    retry
        ->add_option("--state", states_,
                     "Only jobs in this state; may be repeated (default: all of these but cancelled).")
        ->type_name("STATE")
        ->check(CLI::IsMember({"refused", "rolled_back", "lost", "timed_out", "cancelled"}));
  }

  template <class Run>
  CLI::App* AddCampaign(CLI::App* group, const std::string& name, const std::string& help, Run run) {
    CLI::App* command = Add(group, name, help, run);
    AddId(command, "CAMPAIGN", id_)->description("Its id.");
    return command;
  }

  void AddJobs() {
    CLI::App* group = Group("job", "One device's part in a campaign.");
    CLI::App* list = Add(group, "list", "List jobs.", [this](Session& s) {
      jobs_.limit = limit_;
      return ListJobs(s, jobs_);
    });
    list->add_option("--campaign", jobs_.campaign, "Only of this campaign.")->type_name("CAMPAIGN");
    list->add_option("--device", jobs_.device, "Only of this device.")->type_name("DEVICE");
    list->add_option("--state", jobs_.state, "Only in this state; timed_out: only those that are marked so.")
        ->type_name("STATE");
    AddLimit(list, limit_);
    AddJob(group, "show", "Show a job and its timeline.", [this](Session& s) { return ShowJob(s, id_); });
    AddJob(group, "retry", "A new job for the same device and release.",
           [this](Session& s) { return RetryJob(s, id_); });
    AddReason(AddJob(group, "cancel", "Cancel a job that has not committed.",
                     [this](Session& s) { return ChangeJob(s, id_, "cancel", reason_); }),
              reason_);
    AddReason(AddJob(group, "lost", "Give a job up: its device will not report.",
                     [this](Session& s) { return ChangeJob(s, id_, "lost", reason_); }),
              reason_);
  }

  template <class Run>
  CLI::App* AddJob(CLI::App* group, const std::string& name, const std::string& help, Run run) {
    CLI::App* command = Add(group, name, help, run);
    AddId(command, "JOB", id_)->description("Its id.");
    return command;
  }

  void AddPlatform() {
    CLI::App* events = Add(&app_, "events", "Show what happened, and with -f what happens.",
                           [this](Session& s) { return Events(s, events_); });
    events->add_flag("-f,--follow", events_.follow, "Go on with what happens, through lost connections.");
    events->add_option("--device", events_.device, "Only this device's.")->type_name("DEVICE");
    events->add_option("--campaign", events_.campaign, "Only this campaign's.")->type_name("CAMPAIGN");
    events->add_option("--kind", events_.kind, "Only of this kind, e.g. job.rolled_back.")->type_name("KIND");
    CLI::Option* last = events->add_option("--last", events_.last, "How many of the newest (default 20).")
                            ->type_name("N")
                            ->check(Between(1, 1000));
    events
        ->add_option("--after", events_.after,
                     "Those after the event of this number (at most 1000 at once; all with -f).")
        ->type_name("N")
        ->excludes(last);

    CLI::App* audit = Group("audit", "Who changed what, in a chain of hashes.");
    AddLimit(
        Add(audit, "list", "List the audit log, oldest first.", [this](Session& s) { return ListAudit(s, limit_); }),
        limit_);
    Add(audit, "verify", "Have the chain of hashes recomputed.", VerifyAudit);
    Add(&app_, "reasons", "List every reason, with what to do.", ListReasons);
    Add(&app_, "health", "Show whether the platform and its parts work. Needs no token.", Health, false);
  }

  void AddSelf() {
    AddLocal(&app_, "version", "Show pawl's version, and the platform's if one is known.", [this]() -> Done {
      const Terminal terminal = Terminal::Detect(globals_.json);
      Outcome<Session> session = Connect(globals_, terminal, true);
      if (session) return ShowVersion(*session);
      if (session.error().exit != Exit::kAuth || globals_.json) return std::unexpected(session.error());
      std::cout << "pawl " << kVersion << "\n";
      return {};
    });
    CLI::App* completion =
        AddLocal(&app_, "completion", "Print a completion script: source <(pawl completion bash).", [this]() -> Done {
          std::cout << CompletionScript(Describe(app_), shell_);
          return {};
        });
    completion->add_option("SHELL", shell_, "bash, zsh or fish.")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    AddLocal(&app_, "manual", "Print the manual, as Markdown.", [this]() -> Done {
      std::cout << Manual(Describe(app_), "```\n" + std::string(kFooter) + "```\n");
      return {};
    });
  }

  static CommandHelp Describe(const CLI::App& app) {
    CommandHelp command{app.get_name(), app.get_description(), {}, {}};
    for (const CLI::Option* option : app.get_options()) {
      if (option == app.get_help_ptr()) continue;
      const bool positional = option->get_positional();
      const bool flag = option->get_expected_max() == 0;
      command.options.push_back({positional ? option->get_name() : "--" + option->get_lnames().front(),
                                 flag ? "" : option->get_type_name(),
                                 option->get_description(),
                                 {},
                                 positional,
                                 option->get_required()});
    }
    for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; }))
      command.commands.push_back(Describe(*child));
    return command;
  }

  CLI::App app_{"", "pawl"};
  Globals globals_;
  Command command_;

  NewTokenOptions new_token_;
  NewClassOptions new_class_;
  NewReleaseOptions new_release_;
  ClaimOptions claim_;
  DeviceFilter devices_;
  NewCampaignOptions new_campaign_;
  JobFilter jobs_;
  EventOptions events_;
  std::string id_, out_, file_, name_, class_, reason_, shell_;
  std::vector<std::string> states_;
  std::size_t limit_ = 0;
  bool yes_ = false;
};

// One line `pawl: ...`, one `try: ...`; with --json the error as the API words it.
int Report(const Failure& failure, bool json) {
  if (json && !failure.json.empty()) Print(SanitiseJson(failure.json) + "\n");
  if (!failure.message.empty()) std::cerr << "pawl: " << Sanitise(failure.message) << "\n";
  if (!failure.remedy.empty()) std::cerr << "  try: " << Sanitise(failure.remedy) << "\n";
  return static_cast<int>(failure.exit);
}

std::string HelpCommand(const CLI::App& app) {
  std::string path = "pawl";
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    path += " " + at->get_name();
  }
  return path + " --help";
}

int Main(int argc, char** argv) {
  CatchInterrupts();
  CommandLine line;
  try {
    line.app().parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return line.app().exit(success);
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> unknown = line.app().remaining(true);
    if (!unknown.empty())
      return Report({Exit::kUsage, "unknown argument \"" + unknown.front() + "\"", HelpCommand(line.app())}, false);
    return Report({Exit::kUsage, error.what(), HelpCommand(line.app())}, false);
  }
  const Done done = line.command()();
  return done ? 0 : Report(done.error(), line.globals().json);
}

}  // namespace
}  // namespace pawl::cli

int main(int argc, char** argv) { return pawl::cli::Main(argc, argv); }
