// When reading from a waiting client stops, and what happens to its input meanwhile.
#include "reading_lab.h"

namespace sluice::client {

TEST_CASE("a client that sends nothing while it waits is neither stopped nor started",
          "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full") + request("b") + request("c"));
  CHECK(lab.client.is_paused_for(PauseReason::Queue));
  lab.resume();
  CHECK_FALSE(lab.client.is_paused());
  CHECK(lab.topics() == "full b c ");
  CHECK(lab.stream.starts == 1);
  CHECK(lab.stream.stops == 0);
}

TEST_CASE("a client that goes on sending while it waits is stopped after one read",
          "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full") + request("b"));
  CHECK(lab.stream.is_reading);
  lab.read(request("c") + request("d"));
  CHECK_FALSE(lab.stream.is_reading);
  lab.loop.run_turns(5);
  CHECK_FALSE(lab.stream.is_reading);
  CHECK(lab.topics() == "full ");
  lab.resume();
  CHECK(lab.topics() == "full b c d ");
  CHECK(lab.stream.is_reading);
  CHECK(lab.stream.starts == 2);
  CHECK(lab.stream.stops == 1);
}

TEST_CASE("a request may be cut where its client began to wait", "[client][reading]") {
  ReadingLab lab;
  const std::string cut = request("b");
  lab.read_in_turn(request("full") + cut.substr(0, 20));
  lab.read_in_turn(cut.substr(20) + request("c"));
  lab.resume();
  CHECK(lab.topics() == "full b c ");
}

TEST_CASE("a read that took all it could has more behind it, and stops a client that waits",
          "[client][reading]") {
  ReadingLab lab;
  std::string all = request("full");
  all += request_of(kRead - all.size());
  lab.read(all);
  CHECK_FALSE(lab.stream.is_reading);
}

TEST_CASE("what a waiting client has sent fills one read at most", "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full") + request_of(10000));
  CHECK(lab.stream.read_size == kRead - 10000);
  lab.read_in_turn(std::string(kRead - 10000, ' '));
  CHECK_FALSE(lab.stream.is_reading);
  lab.resume();
  CHECK(lab.stream.read_size == kRead);
}

TEST_CASE("a client that waits for input_bytes is stopped at once", "[client][reading]") {
  config::Limits limits;
  limits.input_bytes = 1024;
  ReadingLab lab(limits);
  std::uint32_t counted = 0;
  lab.context.input.set_complete(counted, 2000);  // other clients' bytes
  lab.read(request_of(500).substr(0, 300));
  CHECK(lab.client.is_paused_for(PauseReason::Input));
  CHECK_FALSE(lab.stream.is_reading);
  lab.context.input.set_complete(counted, 0);
  lab.loop.run_turns(2);
  CHECK_FALSE(lab.client.is_paused());
  CHECK(lab.stream.is_reading);
}

TEST_CASE("what comes for a request under way while its client waits counts for input_bytes",
          "[client][reading]") {
  config::Limits limits;
  limits.output_bytes = 1024;
  ReadingLab lab(limits);
  const std::string large = request_of(9000);
  lab.read_in_turn(request("b") + large.substr(0, 3000));
  CHECK(lab.client.partial_bytes() == 3000);
  lab.stream.unsent = 2000;
  lab.client.wake();
  lab.loop.run_turns(2);
  CHECK(lab.client.is_paused_for(PauseReason::Output));
  CHECK(lab.stream.is_reading);
  lab.read_in_turn(large.substr(3000, 4000));
  CHECK_FALSE(lab.stream.is_reading);
  CHECK(lab.client.partial_bytes() == 7000);
  lab.stream.unsent = 0;
  lab.client.wake();
  lab.loop.run_turns(2);
  lab.read_in_turn(large.substr(7000));
  CHECK(lab.topics() == "b large ");
  CHECK(lab.client.partial_bytes() == 0);
}

TEST_CASE("more requests than a turn's share neither stop nor start reading", "[client][reading]") {
  ReadingLab lab;
  std::string all;
  for (int i = 0; i < 200; ++i)
    all += request("a");
  lab.read(all);
  CHECK(lab.intake.submitted.size() == 64);
  lab.loop.run_turns(5);
  CHECK(lab.intake.submitted.size() == 200);
  CHECK(lab.stream.starts == 1);
  CHECK(lab.stream.stops == 0);
}

TEST_CASE("a client that leaves while it waits gets all that it sent done", "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full") + request("b"));
  lab.stream.is_reading = false;  // as a stream does at its end
  lab.stream.handler->on_end();
  lab.loop.run_turns(5);
  CHECK(lab.topics() == "full ");
  CHECK(lab.source.closed.empty());
  lab.resume();
  lab.loop.run_turns(5);
  CHECK(lab.topics() == "full b ");
  REQUIRE(lab.source.closed.size() == 1);
  CHECK(lab.source.closed[0] == CloseReason::ClosedByClient);
  CHECK(lab.stream.starts == 1);
}

TEST_CASE("a connection that breaks ends when all that was read is done", "[client][reading]") {
  ReadingLab lab;
  std::string all;
  for (int i = 0; i < 200; ++i)
    all += request("a");
  lab.read(all);
  lab.stream.is_reading = false;
  lab.stream.handler->on_broken(-104);
  CHECK(lab.source.closed.empty());
  lab.loop.run_turns(5);
  CHECK(lab.intake.submitted.size() == 200);
  REQUIRE(lab.source.closed.size() == 1);
  CHECK(lab.source.closed[0] == CloseReason::Broken);
  CHECK(lab.stream.starts == 1);
}

TEST_CASE("a connection that breaks while its client waits ends at once", "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full") + request("b"));
  lab.stream.is_reading = false;
  lab.stream.handler->on_broken(-104);
  REQUIRE(lab.source.closed.size() == 1);
  CHECK(lab.source.closed[0] == CloseReason::Broken);
  CHECK(lab.context.counters.dropped == 1);
  lab.loop.run_turns(5);
  CHECK(lab.topics() == "full ");
}

TEST_CASE("what a broken connection brought is not kept where it would have to wait",
          "[client][reading]") {
  ReadingLab lab;
  std::string all;
  for (int i = 0; i < 100; ++i)
    all += request("a");
  lab.read(all + request("full") + request("b"));
  lab.stream.is_reading = false;
  lab.stream.handler->on_broken(-104);
  lab.loop.run_turns(5);
  CHECK(lab.intake.submitted.size() == 101);
  REQUIRE(lab.source.closed.size() == 1);
  CHECK(lab.context.counters.dropped == 1);
}

TEST_CASE("a connection that breaks with replies on their way ends at once", "[client][reading]") {
  ReadingLab lab;
  lab.read_in_turn(request("full"));
  lab.stream.unsent = 100;
  lab.stream.handler->on_broken(-32);
  REQUIRE(lab.source.closed.size() == 1);
  CHECK(lab.source.closed[0] == CloseReason::Broken);
}

}  // namespace sluice::client
