// What a start or a reload needs before the loop can take it: the configuration, certificates and
// host names, and enough descriptors. All of this may block.
#pragma once

#include <atomic>
#include <vector>

#include "app/app.h"
#include "cli/serve.h"
#include "config/load.h"
#include "event/file_watcher.h"

namespace sluice::cli {

/// Fewer free descriptors than the loop, the listeners, the broker connections and one client take
/// are an error.
Result<void> check_descriptors(const config::Config& config);

/// Reads the file, with the limit on open files raised. Command-line options override the file.
config::Loaded load(const ServeOptions& options);

/// Resolves listener host names, except those of `standing`, which are bound already.
Result<void> resolve_listeners(config::Config& config,
                               const std::vector<config::Address>& standing);

/// A configuration read for a reload, with its certificates read and its host names resolved.
struct Candidate {
  event::FileState state;  ///< of the file, from just before
  config::Loaded loaded;
  Result<app::CertificatesByBroker> certificates = app::CertificatesByBroker{};
  Result<void> resolved = {};
  std::atomic<bool> are_files_read = false;  ///< names are resolved: that ends by itself

  /// Blocks; runs beside the loop. `standing`: listeners that are bound already.
  void read(const ServeOptions& options, const std::vector<config::Address>& standing);
};

}  // namespace sluice::cli
