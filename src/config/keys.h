// Every key of the configuration file, once: its name, its bounds and the field it fills, with the
// checks that need no more than its own table.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/section.h"

namespace sluice::config {

/// The tables of a document that was read, for checks that look at several of them.
struct Tables {
  Section root;
  Section server;
  Section defaults;
  Section limits;
  Section admin;
  std::vector<ListItem>
      listen;  ///< empty where the default applies, else as ServerSettings::listen
  std::vector<Section> brokers;  ///< as Config::brokers
};

/// Fills `config` from the document's root table. Faults and unknown keys go to `reading`.
Tables read_keys(Reading& reading, const Node& root, Config& config);

/// Every key that read_keys() knows, dotted, in its order: "broker.tls.ca".
std::vector<std::string> known_keys();

}  // namespace sluice::config
