#include "cli/candidate.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "config/check.h"
#include "event/descriptor.h"
#include "event/resolver.h"

namespace sluice::cli {
namespace {

/// For the loop with its signals and threads, the admin interface, one client and one to spare.
constexpr std::size_t kDescriptorsAtStart = 12;

/// Raises the soft limit on open files to the hard one, and returns it.
std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max;
}

}  // namespace

/// With fewer descriptors libuv could end the process without a log line, or no client would ever
/// be accepted.
Result<void> check_descriptors(const config::Config& config) {
  std::size_t needed = kDescriptorsAtStart + config.server.listen.size();
  for (const config::Broker& broker : config.brokers)
    needed += config::kDescriptorsPerLink * broker.connections;
  std::vector<event::Descriptor> taken;
  while (taken.size() < needed) {
    taken.emplace_back(::eventfd(0, EFD_CLOEXEC));
    if (taken.back().get() >= 0) continue;
    return Error{
        fmt::format("{}: sluice needs at least {} free file descriptors to start, {} are "
                    "free (ulimit -n, LimitNOFILE=)",
                    std::strerror(errno), needed, taken.size() - 1)};
  }
  return {};
}

config::Loaded load(const ServeOptions& options) {
  config::Loaded loaded =
      config::load(options.file, config::process_environment(), raise_descriptor_limit());
  if (loaded.config && options.log_level) loaded.config->log.level = *options.log_level;
  return loaded;
}

Result<void> resolve_listeners(config::Config& config,
                               const std::vector<config::Address>& standing) {
  std::vector<config::Address*> all;
  for (config::Address& address : config.server.listen)
    all.push_back(&address);
  if (config.admin.listen) all.push_back(&*config.admin.listen);
  for (config::Address* address : all) {
    if (address->kind != config::Address::Kind::Tcp ||
        std::find(standing.begin(), standing.end(), *address) != standing.end()) {
      continue;
    }
    Result<std::string> found = event::Resolver::wait_for(address->host);
    if (!found) {
      return Error{fmt::format("cannot listen on {}: {}", address->text(), found.error().what)};
    }
    address->digits = std::move(found).value();
  }
  return {};
}

void Candidate::read(const ServeOptions& options, const std::vector<config::Address>& standing) {
  state = event::FileState::of(options.file);
  loaded = load(options);
  if (loaded.config) certificates = app::read_certificates(*loaded.config);
  are_files_read = true;
  if (loaded.config) resolved = resolve_listeners(*loaded.config, standing);
}

}  // namespace sluice::cli
