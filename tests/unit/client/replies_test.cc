// The order and the time of replies.
#include "client/ordered_replies.h"

#include <random>
#include <string>
#include <vector>

#include "support.h"

namespace sluice::client {
namespace {

constexpr std::string_view kSent = R"({"code":1,"msg":"sent"})";

std::string sent(std::string_view id) {
  return R"({"code":1,"msg":"sent","id":)" + std::string(id) + "}";
}

}  // namespace

TEST_CASE("kept replies come out behind the one they waited for", "[client]") {
  Buffers buffers;
  OrderedReplies replies(buffers);
  for (std::uint64_t slot = 1; slot <= 4; ++slot)
    CHECK(replies.reserve() == slot);
  CHECK(replies.is_next(1));
  replies.keep(3, "c");
  replies.keep(2, "b");
  replies.keep(2, "again");
  CHECK(replies.kept_bytes() > 2);
  std::string out = "a";
  replies.advance(out);
  CHECK(out == "abc");
  CHECK(replies.kept_bytes() == 0);
  CHECK(replies.is_next(4));
  replies.keep(1, "late");
  CHECK(replies.kept_bytes() == 0);
}

TEST_CASE("texts that are out count as memory until most of what is kept is out", "[client]") {
  Buffers buffers;
  OrderedReplies replies(buffers);
  for (int slot = 0; slot < 100; ++slot)
    replies.reserve();
  const std::string text(100, 'x');
  for (std::uint64_t slot = 2; slot <= 100; ++slot) {
    if (slot != 40 && slot != 90) replies.keep(slot, text);
  }
  const std::size_t before = replies.kept_bytes();
  CHECK(before >= 97 * text.size());
  std::string out;
  replies.advance(out);
  CHECK(out.size() == 38 * text.size());
  CHECK(replies.kept_bytes() >= 97 * text.size());  // 59 are still stored
  CHECK(replies.kept_bytes() < before);
  replies.advance(out);
  CHECK(out.size() == 87 * text.size());
  CHECK(replies.kept_bytes() < 20 * text.size());  // 10 are still stored
  replies.advance(out);
  CHECK(out.size() == 97 * text.size());
  CHECK(replies.kept_bytes() == 0);
}

TEST_CASE("a place that was free when the kept texts moved is as free as any other", "[client]") {
  Buffers buffers;
  OrderedReplies replies(buffers);
  for (int slot = 0; slot < 128; ++slot)
    replies.reserve();
  const auto keep = [&](std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t slot = first; slot <= last; ++slot)
      replies.keep(slot, std::string(200, 'x'));
  };
  keep(2, 40);
  keep(42, 56);
  std::string out;
  replies.advance(out);  // what is left moves to the front; 57 is free
  CHECK(out.size() == std::size_t{39} * 200);
  replies.advance(out);
  CHECK(replies.kept_bytes() == 0);
  keep(58, 68);
  keep(70, 70);
  replies.advance(out);  // 57; again what is left moves, and there is less of it than before
  replies.advance(out);
  CHECK(out.size() == std::size_t{39 + 15 + 11 + 1} * 200);
  CHECK(replies.kept_bytes() == 0);
}

TEST_CASE("in whatever order replies become ready, they come out in the order of their places",
          "[client]") {
  const auto text_of = [](std::uint64_t slot) {
    return std::to_string(slot) + std::string(slot % 390, '.') + ';';
  };
  std::mt19937 dice(5);
  const std::size_t most_open = GENERATE(8U, 60U, 500U);
  Buffers buffers;
  OrderedReplies replies(buffers);
  std::string out;
  std::string expected;
  std::vector<std::uint64_t> open;
  const auto become_ready = [&](std::size_t at) {
    const std::uint64_t slot = open[at];
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
    if (!replies.is_next(slot)) {
      replies.keep(slot, text_of(slot));
      return;
    }
    out += text_of(slot);
    replies.advance(out);
  };
  for (int step = 0; step < 20000; ++step) {
    if (open.empty() || (open.size() < most_open && dice() % 2 == 0)) {
      open.push_back(replies.reserve());
      expected += text_of(open.back());
    } else {
      become_ready(dice() % 8 == 0 ? 0 : dice() % open.size());
    }
  }
  while (!open.empty())
    become_ready(dice() % open.size());
  CHECK(out == expected);
  CHECK(replies.kept_bytes() == 0);
}

TEST_CASE("replies without an id keep the order of their requests", "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  peer.send(request("a") + "nonsense\n" + request("b") + request("c", "7"));
  lab.wait_for_requests(3);
  lab.intake.answer(lab.intake.find("b"));
  lab.intake.answer(lab.intake.find("c"));
  CHECK(lab.wait_for_line(peer, 0) == sent("7"));
  CHECK(peer.lines() == 1);
  lab.intake.answer(lab.intake.find("a"));
  CHECK(lab.wait_for_line(peer, 1) == kSent);
  CHECK(lab.wait_for_line(peer, 2).find(R"("error":"bad_request","published":"no")") !=
        std::string::npos);
  CHECK(lab.wait_for_line(peer, 3) == kSent);
}

TEST_CASE("slots are numbered from 1 and requests with an id have none", "[client]") {
  Lab lab;
  lab.connect().send(request("a") + request("b", "\"x\"") + request("c"));
  lab.wait_for_requests(3);
  CHECK(lab.intake.submitted[0].origin.slot == 1);
  CHECK(lab.intake.submitted[1].origin.slot == 0);
  CHECK(lab.intake.submitted[2].origin.slot == 2);
}

TEST_CASE("a fault with an id overtakes, and echoes it", "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  peer.send(request("a") + R"({"id":"x","device_id":1})");
  const std::string fault = lab.wait_for_line(peer, 0);
  CHECK(fault.find(R"("code":2)") != std::string::npos);
  CHECK(fault.find(R"("id":"x"})") != std::string::npos);
  CHECK(lab.counters().faults_of(protocol::ErrorKind::BadRequest) == 1);
}

TEST_CASE("an answer from inside submit() is sent", "[client]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  peer.send(request("a") + request("b", "1"));
  CHECK(lab.wait_for_line(peer, 0) == kSent);
  CHECK(lab.wait_for_line(peer, 1) == sent("1"));
}

TEST_CASE("replies come in the framing of the requests", "[client]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  peer.send(frame(request("a")) + frame(request("b")) + frame("[]"));
  lab.run_until([&] { return peer.received().size() > 2 * frame(kSent).size() + 4; });
  CHECK(peer.received().substr(0, 2 * frame(kSent).size()) == frame(kSent) + frame(kSent));
}

TEST_CASE("a request that only authenticates is answered ok and not submitted", "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  peer.send(R"({"token":"secret","id":1})");
  CHECK(lab.wait_for_line(peer, 0) == R"({"code":1,"msg":"ok","id":1})");
  CHECK(lab.intake.submitted.empty());
}

TEST_CASE("a request split at every byte is submitted once", "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  for (const char byte : request("split")) {
    peer.send(std::string_view(&byte, 1));
    lab.run_turns(1);
  }
  peer.send(request("next"));
  lab.wait_for_requests(2);
  CHECK(lab.intake.submitted[0].topic == "split");
  CHECK(lab.intake.submitted[1].topic == "next");
}

TEST_CASE("a reply to a client that is gone reaches nobody", "[client]") {
  Lab lab;
  Peer& first = lab.connect();
  first.send(request("a"));
  lab.wait_for_requests(1);
  const ledger::Origin gone = lab.intake.submitted[0].origin;
  CHECK(lab.server->about(gone).text().substr(0, 17) == "client 127.0.0.1:");
  first.reset();
  lab.run_until([&] { return lab.server->empty(); });
  REQUIRE(lab.intake.forgotten.size() == 1);
  CHECK(lab.intake.forgotten[0].is_same_stream(gone));
  CHECK(lab.server->about(gone).text() == "client gone");

  Peer& second = lab.connect();  // in the same slot of the table
  second.send(request("b"));
  lab.wait_for_requests(2);
  const ledger::Origin next = lab.intake.submitted[1].origin;
  CHECK(next.index == gone.index);
  CHECK_FALSE(next.is_same_stream(gone));
  lab.intake.answer(0);
  lab.server->grant(gone, 0);
  lab.server->settled({}, protocol::Reply::success(), {});
  lab.run_turns(3);
  CHECK(second.lines() == 0);
  lab.intake.answer(1);
  CHECK(lab.wait_for_line(second, 0) == kSent);
  lab.run_turns(3);
  CHECK(second.lines() == 1);
}

TEST_CASE("a client that dies with replies on their way harms nobody", "[client]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& dying = lab.connect();
  for (int i = 0; i < 500; ++i)
    dying.send(request("a"));
  lab.wait_for_requests(10);
  dying.reset();
  lab.run_until([&] { return lab.server->empty(); });
  Peer& next = lab.connect();
  next.send(request("b"));
  CHECK(lab.wait_for_line(next, 0) == kSent);
  CHECK(lab.counters().closed_total == 1);
}

TEST_CASE("changed limits and reply texts count for the clients that are there", "[client]") {
  Lab lab;
  lab.intake.mode = FakeIntake::Mode::Answer;
  Peer& peer = lab.connect();
  peer.send(request("a"));
  lab.wait_for_line(peer, 0);
  lab.config.replies.success = "done";
  lab.config.limits.max_request_bytes = 100;
  lab.server->apply(lab.config, Server::Listeners(1));
  peer.send(request("b") + request_of(101));
  CHECK(lab.wait_for_line(peer, 1) == R"({"code":1,"msg":"done"})");
  CHECK(lab.wait_for_line(peer, 2).find("too_large") != std::string::npos);
}

namespace {

/// Makes every turn a busy one, and counts them; a turn has two ends.
class Bustle {
 public:
  explicit Bustle(event::Loop& loop) : loop_(loop), ends_(loop, bind<&Bustle::on_end>(this)) {
    ends_.schedule();
  }
  int ends() const { return seen_; }

 private:
  void on_end() noexcept {
    ++seen_;
    for (unsigned i = 0; i < event::Loop::kBusyTurn; ++i)
      loop_.note_event();
    ends_.schedule();
  }
  event::Loop& loop_;
  event::Deferred ends_;
  int seen_ = 0;
};

/// The number of turn ends until the peer has `lines` lines.
int ends_until(Lab& lab, Bustle& bustle, Peer& peer, std::size_t lines) {
  const int before = bustle.ends();
  lab.run_until([&] { return peer.lines() == lines; });
  return bustle.ends() - before;
}

}  // namespace

TEST_CASE("in busy turns a small reply waits a little for company, if its client waits anyway",
          "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  peer.send(request("a") + request("b") + request("c"));
  lab.wait_for_requests(3);
  Bustle bustle(lab.loop);
  lab.intake.answer(0);
  const int alone = ends_until(lab, bustle, peer, 1);
  CHECK(alone > 4);
  CHECK(alone < 12);
  lab.intake.answer(1);
  lab.intake.answer(2);  // the last one: no other follows
  CHECK(ends_until(lab, bustle, peer, 3) <= 4);
}

TEST_CASE("a reply does not wait while the loop has little to do", "[client]") {
  Lab lab;
  Peer& peer = lab.connect();
  peer.send(request("a") + request("b"));
  lab.wait_for_requests(2);
  lab.intake.answer(0);
  lab.run_turns(1);
  peer.pump();
  CHECK(peer.lines() == 1);
}

}  // namespace sluice::client
