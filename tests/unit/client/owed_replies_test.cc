// Replies that a client is owed count for output_bytes before they are there.
#include <algorithm>

#include "reading_lab.h"
#include "support.h"

namespace sluice::client {
namespace {

constexpr std::size_t kOutputBytes = 65536;

/// An id of 256 bytes, which has six times as many as JSON text.
std::string long_id() {
  std::string id = "\"";
  for (int i = 0; i < 256; ++i)
    id += "\\u0001";
  return id + '"';
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Answers the request of that number with a failure.
void fail(FakeIntake& intake, std::size_t number, const std::string& detail) {
  FakeIntake::Submitted& one = intake.submitted.at(number);
  const auto failure = protocol::Reply::failure(protocol::ErrorKind::BrokerUnavailable,
                                                protocol::Published::Unknown, detail);
  one.origin.source->settled(one.origin, failure, std::move(one.request));
}

/// Requests that are outstanding until the test answers them.
struct OwedLab : Lab {
  explicit OwedLab(const std::function<void(config::Config&)>& change = {})
      : Lab([&](config::Config& settings) {
          settings.limits.output_bytes = kOutputBytes;
          settings.limits.max_pipeline = 100000;
          if (change) change(settings);
        }) {}

  void submit(Peer& peer, int count, std::string_view id) {
    std::string all;
    for (int i = 0; i < count; ++i)
      all += request("a", id);
    peer.send(all);
    run_until([&] { return counters().paused == 1; });
    run_turns(5);
  }
};

}  // namespace

TEST_CASE("requests whose replies would not fit output_bytes are not taken", "[client]") {
  OwedLab lab;
  Peer& peer = lab.connect();
  lab.submit(peer, 200, long_id());
  CHECK(lab.counters().pauses_for(PauseReason::Output) == 1);
  CHECK(lab.intake.submitted.size() <= kOutputBytes / long_id().size() + 1);
  CHECK(lab.intake.submitted.size() >= kOutputBytes / long_id().size() * 3 / 4);
  lab.intake.choose = [](const FakeIntake::Submitted&) { return FakeIntake::Mode::Answer; };
  for (std::size_t i = lab.intake.submitted.size(); i > 0; --i)
    lab.intake.answer(i - 1);
  lab.wait_for_line(peer, 199);
  CHECK(lab.counters().paused == 0);
}

TEST_CASE("replies of whatever kind take no more than output_bytes", "[client]") {
  config::Limits limits;
  limits.output_bytes = kOutputBytes;
  limits.max_pipeline = 100000;
  ReadingLab lab(limits);
  const std::string id = GENERATE(std::string(), std::string("\"short\""), long_id());
  const std::size_t detail = GENERATE(0U, 300U);
  lab.stream.is_full = true;
  while (lab.stream.is_reading)
    lab.read_in_turn(request("held", id));
  const std::size_t taken = lab.intake.submitted.size();
  REQUIRE(taken > 10);
  fail(lab.intake, 0, std::string(detail, 'd'));
  for (std::size_t i = taken - 1; i > 0; --i)
    fail(lab.intake, i, std::string(detail, 'd'));
  lab.loop.run_turns(5);
  CHECK(lab.intake.submitted.size() <= taken + 1);  // with the one that came as it was paused
  CHECK(std::count(lab.stream.written.begin(), lab.stream.written.end(), '\n') ==
        static_cast<std::ptrdiff_t>(taken));
  CHECK(lab.stream.written.size() <= kOutputBytes);
}

TEST_CASE("a client that reads its replies gets every detail", "[client]") {
  OwedLab lab;
  Peer& peer = lab.connect();
  lab.submit(peer, 1000, {});
  const std::size_t taken = lab.intake.submitted.size();
  const std::string detail(300, 'd');
  for (std::size_t i = 0; i < taken; ++i)
    fail(lab.intake, i, detail);
  lab.wait_for_line(peer, taken - 1);
  for (std::size_t i = 0; i < taken; ++i)
    CHECK(has(peer.line(i), detail));
}

TEST_CASE("a detail is left out where output_bytes have no room for it", "[client]") {
  OwedLab lab;
  Peer& peer = lab.connect();
  lab.submit(peer, 1000, {});
  const std::size_t taken = lab.intake.submitted.size();
  const std::string detail(300, 'd');
  for (std::size_t i = 1; i < taken; ++i)
    fail(lab.intake, i, detail);  // kept for the first one
  fail(lab.intake, 0, detail);
  lab.wait_for_line(peer, taken - 1);
  CHECK(has(peer.line(1), detail));
  CHECK(has(peer.line(taken - 1), R"("detail":"")"));
}

TEST_CASE("names of brokers count, where a request goes to several", "[client]") {
  const auto taken = [](std::int64_t second_begins) {
    OwedLab lab([&](config::Config& settings) {
      settings.brokers.resize(2);
      settings.brokers[0].name = std::string(200, 'a');
      settings.brokers[0].max_dev_no = 100;
      settings.brokers[1].name = std::string(200, 'b');
      settings.brokers[1].min_dev_no = second_begins;
      settings.brokers[1].max_dev_no = 200;
    });
    lab.submit(lab.connect(), 1000, {});
    return lab.intake.submitted.size();
  };
  CHECK(taken(99) > 2 * taken(50));
}

TEST_CASE("a client whose reply may be longer than output_bytes is served one by one", "[client]") {
  OwedLab lab([](config::Config& settings) { settings.limits.output_bytes = 1024; });
  Peer& peer = lab.connect();
  lab.submit(peer, 3, long_id());
  for (std::size_t i = 0; i < 3; ++i) {
    lab.wait_for_requests(i + 1);
    lab.run_turns(5);
    CHECK(lab.intake.submitted.size() == i + 1);
    lab.intake.answer(i);
  }
  lab.wait_for_line(peer, 2);
}

}  // namespace sluice::client
