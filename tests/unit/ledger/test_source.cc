#include "test_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mqtt/delivery.h"

namespace sluice::ledger {
namespace {

std::string_view word_for(const mqtt::DeliveryOutcome& outcome) {
  switch (outcome.kind) {
    case mqtt::DeliveryOutcome::Kind::Acknowledged:
      return "acknowledged";
    case mqtt::DeliveryOutcome::Kind::Rejected:
      return "rejected";
    case mqtt::DeliveryOutcome::Kind::GivenUp:
      return outcome.may_be_published ? "given up, perhaps published" : "given up";
  }
  return "";
}

}  // namespace

protocol::Request make_request(std::string_view name, std::int64_t device) {
  protocol::Request request = protocol::Request::make("t", name);
  request.device_id = device;
  return request;
}

TestSource::TestSource(event::Loop& loop, Intake& intake)
    : intake_(intake), turn_end_(loop, bind<&TestSource::on_turn_end>(this)) {}

Taken TestSource::submit(std::string_view name, std::int64_t device, const Terms& terms) {
  last = make_request(name, device);
  taken.push_back(intake_.submit(origin(0, ++slots_), last, terms));
  return taken.back();
}

void TestSource::add(std::uint32_t stream, std::string_view name, std::int64_t device, int count) {
  for (int i = 0; i < count; ++i)
    streams_[stream].backlog.push_back(make_request(name, device));
  turn_end_.schedule();
}

void TestSource::forget(std::uint32_t stream) {
  streams_.erase(stream);
  intake_.forget(origin(stream));
}

void TestSource::on_turn_end() noexcept {
  if (at_turn_end) {
    at_turn_end();
    return;
  }
  for (auto& [index, stream] : streams_) {
    while (!stream.waits && !stream.backlog.empty()) {
      taken.push_back(intake_.submit(origin(index, ++slots_), stream.backlog.front(), {}));
      stream.waits = taken.back() == Taken::Waits;
      stream.backlog.pop_front();
    }
  }
}

void TestSource::delivered(const Origin& origin, const std::string& broker,
                           const mqtt::DeliveryOutcome& outcome) noexcept {
  deliveries.push_back(fmt::format("{} {} {}", origin.slot, broker, word_for(outcome)));
}

void TestSource::settled(const Origin& origin, const protocol::Reply& reply,
                         protocol::Request request) noexcept {
  replies.push_back(fmt::format("{} {} {}", origin.slot, request.payload(),
                                reply.ok ? "ok" : to_string(reply.error)));
  full_replies.push_back(reply);
}

unsigned TestSource::grant(const Origin& origin, unsigned most) noexcept {
  grants.push_back(most);
  const auto stream = streams_.find(origin.index);
  if (stream == streams_.end()) return 0;
  stream->second.waits = false;
  turn_end_.schedule();
  if (claims_nothing) return 0;
  return static_cast<unsigned>(std::min<std::size_t>(most, stream->second.backlog.size()));
}

}  // namespace sluice::ledger
