// When reading from a client is paused, and that it resumes by itself.
#include "support.h"

namespace sluice::client {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A broker without room for the topic "full", which answers all others.
FakeIntake::Mode park_full(const FakeIntake::Submitted& one) {
  return one.topic == "full" ? FakeIntake::Mode::Park : FakeIntake::Mode::Answer;
}

/// A client's parked request takes all of input_bytes.
struct FullLab : Lab {
  FullLab() : Lab([](config::Config& settings) { settings.limits.input_bytes = 40000; }) {
    intake.choose = park_full;
    connect().send(request_of(41000, "full"));
    wait_for_requests(1);
  }
};

}  // namespace

TEST_CASE("a parked client is not read from until it is resumed", "[client]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Park;
  Peer& peer = lab.connect();
  peer.send(request("a") + request("b"));
  lab.wait_for_requests(1);
  peer.send(request("c"));
  lab.run_turns(5);
  CHECK(lab.intake.submitted.size() == 1);
  CHECK(lab.counters().paused == 1);
  CHECK(lab.counters().pauses_for(PauseReason::Queue) == 1);

  lab.intake.mode = FakeIntake::Mode::Hold;
  lab.server->grant(lab.intake.submitted[0].origin, 0);
  CHECK(lab.intake.submitted.size() == 1);  // never from within the call
  lab.wait_for_requests(3);
  CHECK(lab.intake.submitted[1].topic == "b");
  CHECK(lab.intake.submitted[2].topic == "c");
  CHECK(lab.counters().paused == 0);
  CHECK(lab.counters().pauses_for(PauseReason::Queue) == 1);
}

TEST_CASE("what a paused client sends stays with it", "[client]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Park;
  Peer& peer = lab.connect_unix();
  peer.send(request("first"));
  lab.wait_for_requests(1);
  std::string many;
  for (int i = 0; i < 1000; ++i)
    many += request_of(1000);
  peer.send(many);
  lab.run_turns(100);
  CHECK_FALSE(peer.all_sent());
  lab.intake.mode = FakeIntake::Mode::Answer;
  lab.intake.answer(0);
  lab.server->grant(lab.intake.submitted[0].origin, 0);
  lab.run_until([&] { return peer.lines() == 1001; });
}

TEST_CASE("a parked client does not hold up another one", "[client]") {
  Lab lab;
  lab.intake.choose = park_full;
  lab.connect().send(request("full") + request("a"));
  Peer& other = lab.connect();
  lab.wait_for_requests(1);
  other.send(request("b"));
  lab.wait_for_line(other, 0);
  CHECK(lab.counters().paused == 1);
}

TEST_CASE("a parked request may be answered, and its client goes on", "[client]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Park;
  Peer& peer = lab.connect();
  peer.send(request("a") + request("b"));
  lab.wait_for_requests(1);
  lab.intake.mode = FakeIntake::Mode::Answer;
  lab.intake.answer(0);
  lab.server->grant(lab.intake.submitted[0].origin, 0);
  lab.wait_for_line(peer, 1);
}

TEST_CASE("max_pipeline unanswered requests pause a client", "[client]") {
  Lab lab([](config::Config& config) { config.limits.max_pipeline = 4; });
  Peer& peer = lab.connect();
  for (int i = 0; i < 8; ++i)
    peer.send(request("a"));
  lab.wait_for_requests(4);
  lab.run_turns(5);
  CHECK(lab.intake.submitted.size() == 4);
  CHECK(lab.counters().pauses_for(PauseReason::Pipeline) == 1);
  lab.intake.answer(0);
  lab.run_turns(5);
  CHECK(lab.intake.submitted.size() == 4);  // not below three quarters yet
  lab.intake.answer(1);
  lab.wait_for_requests(6);
  lab.run_turns(5);
  CHECK(lab.intake.submitted.size() == 6);
  CHECK(lab.counters().pauses_for(PauseReason::Pipeline) == 2);
  for (std::size_t i = 2; i < 6; ++i)
    lab.intake.answer(i);
  lab.wait_for_requests(8);
  lab.run_until([&] { return peer.lines() == 6; });
  CHECK(lab.counters().paused == 0);
}

TEST_CASE("a pipeline of one is served to its end", "[client]") {
  Lab lab([](config::Config& config) { config.limits.max_pipeline = 1; });
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  for (int i = 0; i < 200; ++i)
    peer.send(request("a"));
  lab.wait_for_line(peer, 199);
}

TEST_CASE("replies kept for an earlier one pause a client at output_bytes", "[client]") {
  Lab lab([](config::Config& config) { config.limits.output_bytes = 2000; });
  lab.intake.choose = [](const FakeIntake::Submitted& one) {
    return one.topic == "slow" ? FakeIntake::Mode::Hold : FakeIntake::Mode::Answer;
  };
  Peer& peer = lab.connect();
  peer.send(request("slow"));
  for (int i = 0; i < 1000; ++i)
    peer.send(request("a"));
  lab.run_until([&] { return lab.counters().paused == 1; });
  lab.run_turns(5);
  CHECK(lab.counters().pauses_for(PauseReason::Output) == 1);
  CHECK(lab.intake.submitted.size() < 200);
  CHECK(peer.lines() == 0);
  lab.intake.answer(0);
  lab.wait_for_line(peer, 1000);
  CHECK(lab.counters().paused == 0);
}

TEST_CASE("a client that does not read its replies is not read from", "[client]") {
  Lab lab([](config::Config& config) { config.limits.output_bytes = 10000; });
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect_without_reading();
  peer.send(with_long_replies(3000));
  lab.run_until([&] { return lab.counters().paused == 1; });
  lab.run_turns(5);
  CHECK(lab.counters().pauses_for(PauseReason::Output) == 1);
  CHECK(lab.intake.submitted.size() < 3000);
  peer.start_receiving();
  lab.wait_for_line(peer, 2999);
  CHECK(lab.counters().paused == 0);
}

TEST_CASE("above input_bytes nobody begins a request that is longer than a read", "[client]") {
  Lab lab([](config::Config& config) {
    config.limits.input_bytes = 40000;
    config.limits.max_request_bytes = 40000;
  });
  lab.intake.choose = park_full;
  lab.connect().send(request_of(16000, "full"));
  lab.wait_for_requests(1);
  Peer& partial = lab.connect();
  const std::string large = request_of(30000);
  partial.send(large.substr(0, 25000));
  lab.run_turns(5);

  Peer& third = lab.connect();
  third.send(request_of(20000) + request_of(20000));
  lab.run_until([&] { return lab.counters().pauses_for(PauseReason::Input) == 1; });
  lab.run_turns(5);
  CHECK(lab.intake.submitted.size() == 1);
  CHECK(lab.counters().paused == 2);
  Peer& small = lab.connect();
  small.send(request("small"));  // it came whole: each client has memory for one read
  lab.wait_for_line(small, 0);

  partial.send(large.substr(25000));  // a request that has begun may be completed
  lab.wait_for_line(partial, 0);
  lab.wait_for_line(third, 1);
  CHECK(lab.counters().paused == 1);
}

TEST_CASE("a parked request that is settled makes room in input_bytes", "[client]") {
  FullLab lab;
  Peer& first = lab.connect();
  Peer& second = lab.connect();
  first.send(request_of(20000));
  second.send(request_of(20000));
  lab.run_until([&] { return lab.counters().pauses_for(PauseReason::Input) == 2; });
  lab.intake.answer(0);
  lab.server->grant(lab.intake.submitted[0].origin, 0);
  lab.wait_for_line(first, 0);
  lab.wait_for_line(second, 0);
  CHECK(lab.counters().paused == 0);
}

TEST_CASE("a client that leaves makes room in input_bytes", "[client]") {
  FullLab lab;
  Peer& waiting = lab.connect();
  waiting.send(request_of(20000));
  lab.run_until([&] { return lab.counters().paused == 2; });
  lab.server->end_all();  // and waiting clients leave the queue
  lab.run_until([&] { return lab.counters().paused == 0; });
  lab.wait_for_end(waiting);
}

TEST_CASE("partial requests beyond input_bytes end the client that holds most", "[client]") {
  Lab lab([](config::Config& config) {
    config.limits.input_bytes = 40000;
    config.limits.max_request_bytes = 40000;
  });
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& modest = lab.connect();
  Peer& greedy = lab.connect();
  const std::string small = request_of(12000);
  const std::string large = request_of(38000);
  modest.send(small.substr(0, 10000));
  lab.run_turns(5);
  greedy.send(R"({"id":9,)" + large.substr(1, 33000));
  const std::string fault = lab.wait_for_line(greedy, 0);
  CHECK(has(fault, R"("error":"overloaded","published":"no")"));
  CHECK(has(fault, R"("id":9)"));
  lab.wait_for_end(greedy);
  CHECK(lab.counters().faults_of(protocol::ErrorKind::Overloaded) == 1);
  modest.send(small.substr(10000));
  lab.wait_for_line(modest, 0);
}

TEST_CASE("one client's burst does not hold up another client", "[client]") {
  Lab lab;
  Peer& busy = lab.connect();
  Peer& modest = lab.connect();
  lab.run_until([&] { return lab.counters().connections == 2; });
  std::string burst;
  for (int i = 0; i < 1000; ++i)
    burst += request("burst");
  busy.send(burst);
  modest.send(request("modest"));
  lab.wait_for_requests(1001);
  CHECK(lab.intake.find("modest") < 300);
}

// --- grants

TEST_CASE("a client that waited claims no more room than its input can need", "[client]") {
  Lab lab([](config::Config& config) { config.limits.max_pipeline = 4; });
  lab.intake.mode = FakeIntake::Mode::Park;
  Peer& alone = lab.connect();
  alone.send(request("a"));
  lab.wait_for_requests(1);
  Peer& few = lab.connect();
  few.send(request("a") + request("b"));
  lab.wait_for_requests(2);
  Peer& many = lab.connect();
  for (int i = 0; i < 10; ++i)
    many.send(request("a"));
  lab.wait_for_requests(3);
  lab.run_turns(5);

  const auto claimed = [&](std::size_t number, unsigned most) {
    return lab.server->grant(lab.intake.submitted[number].origin, most);
  };
  CHECK(claimed(0, 31) == 0);
  CHECK(claimed(1, 31) == 2);  // no more fit into these bytes
  CHECK(claimed(2, 2) == 2);
  CHECK(claimed(2, 31) == 3);  // max_pipeline, with the one that waited
  CHECK(lab.server->grant({.source = lab.server.get()}, 31) == 0);
  lab.intake.mode = FakeIntake::Mode::Hold;
  lab.wait_for_requests(3 + 0 + 1 + 3);
}

TEST_CASE("a request is handed in with the time it was read and its deadline", "[client]") {
  Lab lab;
  lab.advance(Duration(100));
  lab.connect().send(R"({"device_id":1,"mqtt_topic":"a","message":"","timeout_ms":20})");
  lab.wait_for_requests(1);
  const ledger::Terms& terms = lab.intake.submitted[0].terms;
  CHECK(terms.received == lab.loop.now().time_since_epoch());
  CHECK(terms.deadline == lab.loop.now() + Duration(20));
  CHECK(terms.broker.empty());
  CHECK(terms.when_full == ledger::WhenFull::Wait);
}

TEST_CASE("a request that was read while its client waited has its deadline from its decoding",
          "[client]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Park;
  lab.connect().send(request("a") +
                     R"({"device_id":1,"mqtt_topic":"b","message":"","timeout_ms":20})");
  lab.wait_for_requests(1);
  lab.advance(Duration(100));
  lab.intake.mode = FakeIntake::Mode::Hold;
  lab.server->grant(lab.intake.submitted[0].origin, 0);
  lab.wait_for_requests(2);
  CHECK(lab.intake.submitted[1].terms.received == lab.loop.now().time_since_epoch());
  CHECK(lab.intake.submitted[1].terms.deadline == lab.loop.now() + Duration(20));
}

TEST_CASE("the memory of a request that is settled serves the next one", "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  peer.send(request("a"));
  lab.wait_for_requests(1);
  const char* const memory = lab.intake.submitted[0].request.topic().data();
  lab.intake.answer(0);
  peer.send(request("b"));
  lab.wait_for_requests(2);
  CHECK(lab.intake.submitted[1].request.topic().data() == memory);
}

}  // namespace sluice::client
