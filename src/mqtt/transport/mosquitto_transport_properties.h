// The properties of a PUBLISH, in the form of libmosquitto.
#pragma once

#include <mosquitto.h>

#include <optional>
#include <string>

#include "protocol/request.h"

namespace sluice::mqtt {

/// MQTT 5, section 3.3.2.3. Owns the library's list.
class PublishProperties {
 public:
  PublishProperties() = default;
  ~PublishProperties();
  PublishProperties(const PublishProperties&) = delete;
  PublishProperties& operator=(const PublishProperties&) = delete;

  /// Once.
  void fill(const protocol::Properties& from);
  /// Null while there are none.
  const mosquitto_property* get() const noexcept { return list_; }

 private:
  void add(int id, const std::optional<std::string>& text);

  mosquitto_property* list_ = nullptr;
};

}  // namespace sluice::mqtt
