// A scripted source: records what it is given, and submits its requests at the end of a turn, as a
// TCP client does.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "event/loop.h"
#include "ledger/intake.h"
#include "ledger/source.h"

namespace sluice::ledger {

class TestSource final : public Source {
 public:
  TestSource(event::Loop& loop, Intake& intake);

  /// Submits one request of stream 0, whose payload is `name`.
  Taken submit(std::string_view name, std::int64_t device, const Terms& terms = {});
  /// Adds requests that this stream submits at the end of turns, until one of them waits.
  void add(std::uint32_t stream, std::string_view name, std::int64_t device, int count = 1);
  void forget(std::uint32_t stream);
  Origin origin(std::uint32_t stream, std::uint64_t slot = 0) {
    return {.source = this, .index = stream, .generation = 1, .slot = slot};
  }

  void delivered(const Origin& origin, const std::string& broker,
                 const mqtt::DeliveryOutcome& outcome) noexcept override;
  void settled(const Origin& origin, const protocol::Reply& reply,
               protocol::Request request) noexcept override;
  unsigned grant(const Origin& origin, unsigned most) noexcept override;
  log::Subject about(const Origin&) const noexcept override {
    return log::Subject::client("test", 1);
  }

  std::vector<std::string> deliveries;  ///< "slot broker outcome"
  std::vector<std::string> replies;     ///< "slot name result"
  std::vector<protocol::Reply> full_replies;
  std::vector<unsigned> grants;
  std::vector<Taken> taken;           ///< of each request that was submitted
  protocol::Request last;             ///< the last one submitted, if it was Full
  bool claims_nothing = false;        ///< answers each grant with 0
  std::function<void()> at_turn_end;  ///< instead of submitting, if set

 private:
  struct Stream {
    std::deque<protocol::Request> backlog;
    bool waits = false;
  };

  void on_turn_end() noexcept;

  Intake& intake_;
  event::Deferred turn_end_;
  std::map<std::uint32_t, Stream> streams_;
  std::uint64_t slots_ = 0;
};

/// A request whose payload is `name`.
protocol::Request make_request(std::string_view name, std::int64_t device);

}  // namespace sluice::ledger
