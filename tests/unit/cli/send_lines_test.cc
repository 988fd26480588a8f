// `sluice send -`: one message for each line of standard input.
#include <poll.h>

#include <atomic>
#include <string>
#include <thread>

#include "catch.h"
#include "send_run.h"

using namespace sluice;
using namespace sluice::cli;
using namespace sluice::test;

TEST_CASE("each line of standard input is a message, the last without a newline too", "[send]") {
  std::string seen;
  Run result;
  {
    ScriptedServer server([&](Peer& peer) {
      for (;;) {
        const std::string request = peer.read_line();
        if (request.empty()) return;
        seen += id_of(request) + request.substr(request.find("\"message\""));
        peer.write(success(id_of(request)));
      }
    });
    result = run(options_for(server, "-"), "one\n\ntwo\r\nthree");
  }
  CHECK(result.status == 0);
  CHECK(seen == R"(1"message":"one"}2"message":""}3"message":"two\u000d"}4"message":"three"})");
  CHECK(result.output == success("1") + success("2") + success("3") + success("4"));
  CHECK(has(result.errors, "4 sent, 4 published, 0 failed, 0 unknown"));
}

TEST_CASE("a byte order mark before the first line of standard input is no part of it", "[send]") {
  const std::string mark = "\xEF\xBB\xBF";
  for (const auto& [input, expected] : std::vector<std::pair<std::string, std::string>>{
           {mark + "one\n" + mark + "two\n", "\"one\"}\"" + mark + "two\"}"},
           {mark + "one", "\"one\"}"},
           {"1\n" + mark, "\"1\"}\"" + mark + "\"}"},
           {mark + "\n", "\"\"}"},
           {mark, ""}}) {
    CAPTURE(input);
    std::string seen;
    {
      ScriptedServer server([&](Peer& peer) {
        for (;;) {
          const std::string request = peer.read_line();
          if (request.empty()) return;
          seen += request.substr(request.find("\"message\":") + 10);
          peer.write(success(id_of(request)));
        }
      });
      CHECK(run(options_for(server, "-"), input).status == 0);
    }
    CHECK(seen == expected);
  }
}

TEST_CASE("no lines are no messages and no failure", "[send]") {
  ScriptedServer server(answer_all);
  const Run result = run(options_for(server, "-"));
  CHECK(result.status == 0);
  CHECK(result.output.empty());
  CHECK(has(result.errors, "0 sent"));
}

TEST_CASE("thousands of lines pass through a small window, each answered", "[send]") {
  ScriptedServer server(answer_all);
  std::string input;
  for (int i = 0; i < 5000; ++i)
    input += "line " + std::to_string(i) + "\n";
  const Run result = run(options_for(server, "-"), input, 7);
  CHECK(result.status == 0);
  CHECK(has(result.errors, "5000 sent, 5000 published"));
  CHECK(std::count(result.output.begin(), result.output.end(), '\n') == 5000);
}

TEST_CASE("no more is read than the window allows", "[send]") {
  std::atomic<bool> read_on{false};
  int pending = 0;
  Pipe in;
  Pipe out;
  Pipe err;
  ScriptedServer server([&](Peer& peer) {
    std::string first = peer.read_line();
    const std::string second = peer.read_line();
    // The window is full: nothing of the third line may be here before an answer.
    peer.write(success(id_of(first)));
    first = peer.read_line();
    pending = static_cast<int>(peer.input().size());
    read_on = true;
    peer.write(success(id_of(second)) + success(id_of(first)));
    answer_all(peer);
  });
  in.write("a\nb\nc\nd\n");
  in.close_writer();
  CHECK(run_send(options_for(server, "-"), {in.reader(), out.writer(), err.writer(), false, 2}) ==
        0);
  CHECK(read_on);
  CHECK(pending == 0);
}

TEST_CASE("replies are printed while standard input stays open", "[send]") {
  ScriptedServer server(answer_all);
  Pipe in;
  Pipe out;
  Pipe err;
  int status = -1;
  std::thread command([&] {
    status = run_send(options_for(server, "-"), {in.reader(), out.writer(), err.writer()});
  });
  in.write("a\n");
  pollfd ready{out.reader(), POLLIN, 0};
  CHECK(::poll(&ready, 1, 10000) == 1);
  in.close_writer();
  command.join();
  CHECK(status == 0);
}

TEST_CASE("one failed line makes the status 1", "[send]") {
  ScriptedServer server([](Peer& peer) {
    peer.write(success(id_of(peer.read_line())));
    peer.write(failure("timeout", "unknown", ",\"id\":" + id_of(peer.read_line())));
    peer.read_to_end();
  });
  const Run result = run(options_for(server, "-"), "a\nb\n");
  CHECK(result.status == 1);
  CHECK(has(result.errors, "2 sent, 1 published, 0 failed, 1 unknown"));
}

TEST_CASE("a lost connection is counted honestly and stops the reading", "[send]") {
  ScriptedServer server([](Peer& peer) {
    const std::string id = id_of(peer.read_line());
    for (int i = 0; i < 2; ++i)
      (void)peer.read_line();
    peer.write(success(id));
    // The client may send one more line for that answer; it is unknown as well.
    (void)peer.read_line();
    peer.end();
  });
  std::string input;
  for (int i = 0; i < 100; ++i)
    input += "x\n";
  const Run result = run(options_for(server, "-"), input, 3);
  CHECK(result.status == 1);
  CHECK(has(result.errors, "line 2: outcome unknown: connection lost (closed by the server)"));
  CHECK(has(result.errors, "3 with unknown outcome; nothing after line 4 was sent"));
  CHECK(has(result.errors, "4 sent, 1 published, 0 failed, 3 unknown"));
}

TEST_CASE("an endless line is dropped and the next one sent", "[send]") {
  ScriptedServer server(answer_all);
  const std::string input = std::string(std::size_t{17} * 1024 * 1024, 'x') + "\nshort\n";
  const Run result = run(options_for(server, "-"), input);
  CHECK(result.status == 1);
  CHECK(has(result.errors, "line 1: longer than"));
  CHECK(result.output == success("2"));
  CHECK(has(result.errors, "1 sent, 1 published, 1 failed"));
}

TEST_CASE("the progress line ends with the last count", "[send]") {
  ScriptedServer server(answer_all);
  Pipe in;
  Pipe out;
  Pipe err;
  in.write("a\nb\n");
  in.close_writer();
  CHECK(run_send(options_for(server, "-"), {in.reader(), out.writer(), err.writer(), true}) == 0);
  err.close_writer();
  const std::string errors = err.read_to_end();
  CHECK(has(errors, "\r2 sent, 2 answered, 0 failed, "));
  CHECK(errors.ends_with("/s\n"));
}
