#include "cli/serve.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "app/app.h"
#include "base/log.h"
#include "base/plural.h"
#include "cli/candidate.h"
#include "cli/held_signals.h"
#include "cli/stop_signals.h"
#include "cli/supervisor.h"
#include "config/file.h"
#include "config/load.h"
#include "event/file_watcher.h"
#include "event/loop.h"
#include "event/signal.h"
#include "event/timer.h"
#include "event/work.h"
#ifdef SLUICE_ADMIN
#include "admin/http_server.h"
#include "admin/microhttpd.h"
#endif

namespace sluice::cli {
namespace {

/// How often the file is checked for changes; two checks in a row have to agree.
constexpr Duration kFileLook = std::chrono::milliseconds(500);

/// After a SIGHUP the file is read even if it changes all the time, or cannot be looked at.
constexpr Duration kSettlingLimit = std::chrono::seconds(5);

/// For the files of a reload. Each has config::kPatience; this also ends the wait for one on a disk
/// or a network that hangs.
constexpr Duration kReadingLimit = config::kPatience + std::chrono::seconds(1);
/// Reloads that hang there each keep a thread of libuv's pool, which has four.
constexpr std::size_t kMaxHung = 2;
/// More faults of a reload are counted.
constexpr std::size_t kMaxFaultLines = 20;

app::Identity identity() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return {.host = host.data(), .pid = ::getpid()};
}

config::Loaded load(const ServeOptions& options, std::FILE* faults_to) {
  config::Loaded loaded = load(options);
  for (const config::Fault& fault : loaded.faults) {
    fmt::print(faults_to, "{}\n", fault.text());
  }
  return loaded;
}

/// Remarks are for those who write a file: here, where the file may have been meant so, they are no
/// warnings.
void log_warnings(const config::Loaded& loaded) {
  for (const config::Fault& warning : loaded.warnings)
    log::warn("{}", warning.what);
  for (std::size_t i = 0; i < std::min(loaded.remarks.size(), kMaxFaultLines); ++i)
    log::info("{}", loaded.remarks[i].what);
}

std::vector<config::Address> addresses_of(const config::Config& config) {
  std::vector<config::Address> all = config.server.listen;
  if (config.admin.listen) all.push_back(*config.admin.listen);
  return all;
}

/// Owns the loop and the App, and handles the process's signals.
class Service {
 public:
  /// `state`: that of the file from just before it was loaded.
  Service(const ServeOptions& options, const event::FileState& state, config::Config config)
      : options_(options),
        app_(loop_, std::move(config), identity(), bind<&Service::finish>(this)),
        watcher_(loop_, options_.file, state, kFileLook, bind<&Service::on_settled>(this)) {}

  Result<void> start() {
#ifdef SLUICE_ADMIN
    if (Result<void> bound = listen_for_admin(app_.config().admin, admin_); !bound) return bound;
#endif
    Result<void> started = app_.start();
    if (started) supervisor_.start();
    return started;
  }

  void run() {
    loop_.run();
    // Pending file or DNS work must not delay the exit: a thread that blocks cannot be joined.
    if (loop_.has_requests()) std::_Exit(kDone);
  }

 private:
  void on_stop_signal() noexcept {
    switch (stop_signals_.note(loop_.now())) {
      case StopSignals::Meaning::Stop:
        supervisor_.stopping();
        reading_limit_.stop();  // a reload that is under way ends unreported
        app_.stop();
        break;
      case StopSignals::Meaning::Echo:
        log::info("stop signal repeated within {} ms: counted as one; a later one exits at once",
                  StopSignals::kEcho.count());
        break;
      case StopSignals::Meaning::ExitNow:
        log::warn("second signal: exiting now; the outcome of unanswered requests is unknown");
        app_.close_listeners();
        std::_Exit(kFailed);
    }
  }
  void on_reopen_signal() noexcept {
    if (Result<void> reopened = log::reopen(); !reopened) {
      log::error("SIGUSR1: {}; still writing to the former file", reopened.error().what);
    } else if (!log::file().empty()) {
      log::info("SIGUSR1: {} reopened", log::file());
    }
  }
  void on_reload_signal() noexcept {
    if (app_.is_stopping()) {
      log::info("SIGHUP: shutting down, not reloading");
    } else if (loading_.is_busy()) {
      log::warn("SIGHUP: reload already in progress; queued another");
    } else if (settling_limit_.is_active()) {
      log::info("SIGHUP: reload already in progress");
    } else {
      log::info("SIGHUP: reloading {}", options_.file);
    }
    if (app_.is_stopping()) return;
    // The file may be half written: it is read when two looks have found the same.
    if (!settling_limit_.is_active()) settling_limit_.start(kSettlingLimit);
    watcher_.report_settled();
  }
  /// The file stands still, for a SIGHUP or for a change.
  void on_settled() noexcept {
    settling_limit_.stop();
    reload();
  }
  /// Begins a reload: reads files and resolves names on libuv's thread pool.
  void reload() noexcept {
    if (app_.is_stopping()) return;
    if (loading_.is_busy()) {
      reload_again_ = true;
      return;
    }
    std::erase_if(hung_, [](const auto& candidate) { return candidate.expired(); });
    if (hung_.size() >= kMaxHung) {
      app_.refuse_reload("earlier ones still wait for their files");
      return;
    }
    auto candidate = std::make_shared<Candidate>();
    candidate_ = candidate;
    reading_limit_.start(kReadingLimit);
    supervisor_.reloading();
    loading_.start([candidate, options = options_, standing = addresses_of(app_.config())] {
      candidate->read(options, standing);
    });
  }
  void on_reading_limit() noexcept {
    if (candidate_ == nullptr || candidate_->are_files_read) return;
    loading_.abandon();
    hung_.push_back(std::exchange(candidate_, nullptr));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(kReadingLimit);
    reject(fmt::format("its files could not be read within {} s", seconds.count()));
    if (std::exchange(reload_again_, false)) reload();
  }
  void reject(const std::string& why) noexcept {
    app_.refuse_reload(why);
    supervisor_.reloaded("reload rejected, keeping the current configuration");
  }
  /// Ends a reload: applies the new configuration, or keeps the current one.
  void on_loaded() noexcept {
    const std::shared_ptr<Candidate> candidate = std::exchange(candidate_, nullptr);
    reading_limit_.stop();
    if (app_.is_stopping()) return;
    watcher_.set_known(candidate->state);
    if (Result<void> applied = apply(*candidate); !applied) {
      reject(applied.error().what);
    } else {
      supervisor_.reloaded("serving the reloaded configuration");
    }
    if (std::exchange(reload_again_, false)) reload();
  }
  Result<void> apply(Candidate& candidate) {
    const std::vector<config::Fault>& faults = candidate.loaded.faults;
    for (std::size_t i = 0; i < std::min(faults.size(), kMaxFaultLines); ++i)
      log::error("{}", faults[i].text());
    if (faults.size() > kMaxFaultLines)
      log::error("{} in all; sluice check lists them", plural(faults.size(), "fault"));
    if (!candidate.loaded.config) return Error{"it has faults"};
    if (!candidate.certificates) return candidate.certificates.error();
    if (!candidate.resolved) return candidate.resolved;
    log_warnings(candidate.loaded);
#ifdef SLUICE_ADMIN
    const config::Admin next = candidate.loaded.config->admin;
    const bool moves = !(next == app_.config().admin);
    std::unique_ptr<admin::HttpServer> admin;
    if (moves) {
      if (Result<void> bound = listen_for_admin(next, admin); !bound) return bound;
    }
#endif
    Result<void> reloaded =
        app_.reload(std::move(*candidate.loaded.config), candidate.certificates.value());
#ifdef SLUICE_ADMIN
    if (reloaded && moves) loop_.retire(std::exchange(admin_, std::move(admin)));
#endif
    return reloaded;
  }
#ifdef SLUICE_ADMIN
  Result<void> listen_for_admin(const config::Admin& settings,
                                std::unique_ptr<admin::HttpServer>& server) {
    if (!settings.listen) return {};
    server = std::make_unique<admin::HttpServer>(loop_, app_);
    return server->listen(*settings.listen);
  }
#endif
  void finish() noexcept {
    loop_.stop();
  }

  const ServeOptions options_;
  event::Loop loop_;
  app::App app_;
#ifdef SLUICE_ADMIN
  std::unique_ptr<admin::HttpServer> admin_;
#endif
  Supervisor supervisor_{loop_};
  event::FileWatcher watcher_;
  event::Work loading_{loop_, bind<&Service::on_loaded>(this)};
  event::Timer settling_limit_{loop_, bind<&Service::reload>(this)};
  event::Timer reading_limit_{loop_, bind<&Service::on_reading_limit>(this)};
  std::shared_ptr<Candidate> candidate_;        // while it is being read
  std::vector<std::weak_ptr<Candidate>> hung_;  // given up, but still being read
  bool reload_again_ = false;                   // requested while another one was in progress
  StopSignals stop_signals_;
  event::Signal terminate_{loop_, SIGTERM, bind<&Service::on_stop_signal>(this)};
  event::Signal interrupt_{loop_, SIGINT, bind<&Service::on_stop_signal>(this)};
  event::Signal reopen_{loop_, SIGUSR1, bind<&Service::on_reopen_signal>(this)};
  event::Signal reload_{loop_, SIGHUP, bind<&Service::on_reload_signal>(this)};
};

void announce(const config::Config& config) {
  for (const config::Address& address : config.server.listen) {
    log::info("listening on {}", address.text());
  }
#ifdef SLUICE_ADMIN
  if (config.admin.listen) {
    const std::string address = config.admin.listen->text();  // tcp://HOST:PORT
    log::info("admin HTTP on http{}", address.substr(address.find(':')));
  }
#else
  if (config.admin.listen) log::warn("[admin] listen: this build has no admin interface");
#endif
}

}  // namespace

int run_serve(const ServeOptions& options) {
  std::optional<HeldSignals> held(std::in_place);
  const event::FileState state = event::FileState::of(options.file);
  config::Loaded loaded = load(options, stderr);
  if (!loaded.config) return kMisused;
  if (Result<void> configured = log::configure(loaded.config->log); !configured) {
    log::error("{}", configured.error().what);
    return kFailed;
  }
  if (Result<void> enough = check_descriptors(*loaded.config); !enough) {
    log::error("{}", enough.error().what);
    return kFailed;
  }
  log::info("sluice {} starting with {}", SLUICE_VERSION, options.file);
  log_warnings(loaded);
  if (Result<void> resolved = resolve_listeners(*loaded.config, {}); !resolved) {
    log::error("{}", resolved.error().what);
    return kFailed;
  }
#ifdef SLUICE_ADMIN
  // Now, though a reload may be the first to need it: reading files would hold up the loop.
  (void)admin::load_microhttpd();
#endif
  Service service(options, state, *loaded.config);
  held.reset();  // it watches them
  if (Result<void> started = service.start(); !started) {
    log::error("{}", started.error().what);
    return kFailed;
  }
  announce(*loaded.config);
  service.run();
  return kDone;
}

int run_check(const std::string& file) {
  const config::Loaded loaded = load({.file = file, .log_level = {}}, stderr);
  for (const auto* findings : {&loaded.warnings, &loaded.remarks}) {
    for (const config::Fault& finding : *findings)
      fmt::print(stderr, "{}\n", finding.warning());
  }
  if (!loaded.config) return kMisused;
#ifdef SLUICE_ADMIN
  if (Result<const admin::Microhttpd*> library = admin::load_microhttpd();
      loaded.config->admin.listen && !library) {
    fmt::print(stderr, "sluice check: [admin] listen: {}\n", library.error().what);
    return kFailed;
  }
#endif
  fmt::print("{}: ok\n", file);
  return kDone;
}

}  // namespace sluice::cli
