// Which MQTT version a pool's attempts speak.
#pragma once

#include "config/config.h"
#include "mqtt/transport/transport.h"

namespace sluice::mqtt {

/// The configured version, or 3.1.1 where that is 5 and the broker does not speak it: it refuses
/// the version, or closes the connection twice instead of answering. It may close for other
/// reasons, so the versions are tried in turn until one gets a CONNACK. Not thread-safe.
class ProtocolChoice {
 public:
  /// `broker` outlives it.
  explicit ProtocolChoice(const config::Broker& broker) noexcept
      : broker_(broker), current_(broker.protocol) {}

  config::Protocol current() const noexcept { return current_; }
  /// The configured one again: after a reload.
  void reset() noexcept;
  /// One came, be it a refusal.
  void note_connack();
  /// True: the failure is part of the search for the version, which is logged by itself.
  bool note_failure(const Loss& loss);

 private:
  void report_fallback(const char* why) const;

  const config::Broker& broker_;
  config::Protocol current_;
  bool was_answered_ = false;  // a CONNACK came, perhaps a refusal: the version stays
  unsigned unanswered_ = 0;    // attempts that were closed
};

}  // namespace sluice::mqtt
