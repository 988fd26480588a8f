#include "cli/serve.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "bridge/bridge.h"
#include "cli/supervisor.h"
#include "config/load.h"
#include "event/loop.h"
#include "event/signal.h"
#ifdef SLUICE_ADMIN
#include "admin/http_server.h"
#endif

namespace sluice::cli {
namespace {

/// The soft limit is of no use to a server: takes the hard one, and returns it.
std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max;
}

bridge::Identity identity() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return {.host = host.data(), .pid = ::getpid()};
}

config::Loaded load(const std::string& file, std::FILE* faults_to) {
  config::Loaded loaded =
      config::load(file, config::process_environment(), raise_descriptor_limit());
  for (const config::Fault& fault : loaded.faults) {
    fmt::print(faults_to, "{}\n", fault.text());
  }
  return loaded;
}

/// A running service: the loop's owner, and what the process's signals do to it.
class Service {
 public:
  Service(config::Config config, const ServeOptions& options)
      : options_(options),
        config_(std::move(config)),
        bridge_(loop_, config_, identity(), bind<&Service::finish>(this)) {}

  /// For each configuration that comes into force: the command line goes before it.
  Result<void> configure_log(const config::Config& config) const {
    log::Settings settings = config.log;
    settings.level = options_.log_level.value_or(settings.level);
    return log::configure(settings);
  }

  Result<void> start() {
#ifdef SLUICE_ADMIN
    if (config_.admin.listen) {
      if (Result<void> bound = admin_.listen(*config_.admin.listen); !bound) return bound;
    }
#endif
    Result<void> started = bridge_.start();
    if (started) supervisor_.start();
    return started;
  }

  void run() {
    loop_.run();
  }

 private:
  void on_stop_signal() noexcept {
    if (bridge_.is_stopping()) {
      log::warn("second signal: exiting at once; unanswered requests are unknown to their clients");
      bridge_.close_listeners();
      std::_Exit(kFailed);
    }
    supervisor_.stopping();
    bridge_.stop();
  }
  void on_reopen_signal() noexcept {
    if (Result<void> reopened = log::reopen(); !reopened) {
      log::error("SIGUSR1: {}; lines still go to the former file", reopened.error().what);
    } else if (!log::file().empty()) {
      log::info("SIGUSR1: {} opened anew", log::file());
    }
  }
  void on_reload_signal() noexcept {
    log::warn("SIGHUP: this version does not reload its configuration; restart it instead");
  }
  void finish() noexcept {
    loop_.stop();
  }

  const ServeOptions options_;
  event::Loop loop_;
  const config::Config config_;
  bridge::Bridge bridge_;
#ifdef SLUICE_ADMIN
  admin::HttpServer admin_{loop_, bridge_};
#endif
  Supervisor supervisor_{loop_};
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
  if (config.admin.listen) log::info("HTTP for operators on {}", config.admin.listen->text());
#else
  if (config.admin.listen) log::warn("[admin] listen: this build has no admin interface");
#endif
}

}  // namespace

int run_serve(const ServeOptions& options) {
  const config::Loaded loaded = load(options.file, stderr);
  if (!loaded.config) return kMisused;
  Service service(*loaded.config, options);
  if (Result<void> configured = service.configure_log(*loaded.config); !configured) {
    log::error("{}", configured.error().what);
    return kFailed;
  }
  log::info("sluice {} starting with {}", SLUICE_VERSION, options.file);
  for (const std::string& warning : loaded.warnings)
    log::warn("{}", warning);
  if (Result<void> started = service.start(); !started) {
    log::error("{}", started.error().what);
    return kFailed;
  }
  announce(*loaded.config);
  service.run();
  return kDone;
}

int run_check(const std::string& file) {
  const config::Loaded loaded = load(file, stderr);
  for (const std::string& warning : loaded.warnings)
    fmt::print(stderr, "{}: warning: {}\n", file, warning);
  if (!loaded.config) return kMisused;
  fmt::print("{}: ok\n", file);
  return kDone;
}

}  // namespace sluice::cli
