// `sluice send` against a scripted server, its standard streams being pipes.
#include "cli/send.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "catch.h"
#include "cli/send_text.h"
#include "scripted_server.h"

using namespace sluice;
using namespace sluice::cli;
using namespace sluice::test;

namespace {

/// A pipe; both ends are closed with it.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) std::abort();
  }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void close_reader() { close_end(ends_[0]); }
  void close_writer() { close_end(ends_[1]); }
  void write(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t wrote = ::write(writer(), text.data(), text.size());
      if (wrote <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(wrote));
    }
  }
  std::string read_to_end() const {
    std::string all;
    std::array<char, 4096> buffer;  // NOLINT: filled by read
    for (;;) {
      const ssize_t got = ::read(reader(), buffer.data(), buffer.size());
      if (got <= 0) return all;
      all.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  static void close_end(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

/// One run of the command and all it wrote.
struct Run {
  int status = -1;
  std::string output;
  std::string errors;
};

Run run(const SendOptions& options, const std::string& input = {}, std::size_t window = 256,
        std::chrono::milliseconds reply_margin = std::chrono::milliseconds{1000}) {
  Pipe in;
  Pipe out;
  Pipe err;
  Run result;
  std::thread feeder([&] {
    in.write(input);
    in.close_writer();
  });
  std::thread output([&] { result.output = out.read_to_end(); });
  std::thread errors([&] { result.errors = err.read_to_end(); });
  result.status =
      run_send(options, {in.reader(), out.writer(), err.writer(), false, window, reply_margin});
  out.close_writer();
  err.close_writer();
  (void)in.read_to_end();  // frees a feeder whose input nobody wanted
  feeder.join();
  output.join();
  errors.join();
  return result;
}

SendOptions options_for(const ScriptedServer& server, std::string message) {
  SendOptions options;
  options.address = server.address();
  options.device = 1001;
  options.topic = "dev/1001/cmd";
  options.message = std::move(message);
  return options;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void answer_all(Peer& peer) {
  for (;;) {
    const std::string request = peer.read_line();
    if (request.empty()) return;
    peer.write(success(id_of(request)));
  }
}

}  // namespace

TEST_CASE("send prints the reply as received and exits 0 on code 1", "[send]") {
  std::string request;
  Run result;
  {
    ScriptedServer server([&](Peer& peer) {
      request = peer.read_line();
      peer.write(R"({"code":1,"msg":"mqtt 消息发送成功"})");
      peer.read_to_end();
    });
    result = run(options_for(server, "open"));
  }
  CHECK(result.status == 0);
  CHECK(result.output == "{\"code\":1,\"msg\":\"mqtt 消息发送成功\"}\n");
  CHECK(result.errors.empty());
  CHECK(request == R"({"device_id":1001,"mqtt_topic":"dev/1001/cmd","message":"open"})");
}

TEST_CASE("send passes its options on and exits 1 on code 2", "[send]") {
  std::string request;
  Run result;
  {
    ScriptedServer server([&](Peer& peer) {
      request = peer.read_line();
      peer.write(failure("no_route", "no", ",\"id\":\"q\""));
      peer.read_to_end();
    });
    SendOptions options = options_for(server, "[1, 2]");
    options.device = "007";
    options.qos = 2;
    options.retain = true;
    options.json = true;
    options.id = "q";
    options.token = "s";
    options.timeout_ms = 250;
    result = run(options);
  }
  CHECK(result.status == 1);
  CHECK(result.output == failure("no_route", "no", ",\"id\":\"q\""));
  CHECK(
      request ==
      R"({"id":"q","token":"s","device_id":"007","mqtt_topic":"dev/1001/cmd","qos":2,"retain":true,)"
      R"("timeout_ms":250,"message":[1, 2]})");
}

TEST_CASE("send says on standard error why there is no reply", "[send]") {
  Run lost;
  std::string gone;
  {
    ScriptedServer server([](Peer& peer) {
      (void)peer.read_line();
      peer.end();
    });
    lost = run(options_for(server, "a"));
    gone = server.address();
  }
  CHECK(lost.status == 1);
  CHECK(lost.output.empty());
  CHECK(lost.errors == "sluice send: outcome unknown: connection lost (closed by the server)\n");
  SendOptions options;
  options.address = gone;
  const Run refused = run(options);
  CHECK(refused.status == 1);
  CHECK(refused.errors == "sluice send: cannot connect to " + gone + ": Connection refused\n");
}

TEST_CASE("an address that is none is wrong usage", "[send]") {
  SendOptions options;
  options.address = "http://h";
  const Run result = run(options);
  CHECK(result.status == 2);
  CHECK(has(result.errors, "--address http://h: expected HOST[:PORT], tcp://HOST[:PORT] or unix"));
}

TEST_CASE("nothing that a server says is more than text for a terminal", "[send]") {
  // ESC, the C1 control that begins a sequence, and a mark that turns the text around.
  const std::string raw = "a\xc2\x9b\x7f\xe2\x80\xae发";
  const std::string reply = R"({"code":2,"error":"rejected","published":"no","detail":")" + raw +
                            "\",\t\"msg\":\"\\\\\\\"\"}";
  Run single;
  {
    ScriptedServer server([&](Peer& peer) {
      (void)peer.read_line();
      peer.write(reply);
      peer.read_to_end();
    });
    single = run(options_for(server, "a"));
  }
  CHECK(single.status == 1);
  CHECK(single.output ==
        "{\"code\":2,\"error\":\"rejected\",\"published\":\"no\",\"detail\":"
        "\"a\\u009b\\u007f\\u202e发\", \"msg\":\"\\\\\\\"\"}\n");
  CHECK(printable_reply("{\"\xff\":1}") == "{\"\uFFFD\":1}");

  Run lines;
  {
    ScriptedServer server([](Peer& peer) {
      (void)peer.read_line();
      peer.write(R"({"code":2,"error":"overloaded","published":"no","detail":"\u001b]0;\u009b"})");
      peer.end();
    });
    lines = run(options_for(server, "-"), "a\nb\n", 1);
  }
  CHECK(lines.status == 1);
  CHECK(has(lines.errors, "overloaded: \\x1b]0;\\xc2\\x9b"));
}

TEST_CASE("a timeout is obeyed whatever the server does", "[send]") {
  const auto repeat = [](std::string text) {
    return [text = std::move(text)](Peer& peer) {
      while (peer.write(text))
        ::usleep(1000);
    };
  };
  const std::pair<const char*, ScriptedServer::Script> servers[] = {
      {"says nothing", [](Peer& peer) { peer.read_to_end(); }},
      {"answers others", repeat(R"({"code":1,"msg":"","id":"another"})")},
      {"sends white space", repeat("  ")},
      {"sends a reply without end", repeat(R"({"code":1,"msg":{"a":)")},
  };
  for (const auto& [what, script] : servers) {
    for (const char* message : {"a", "-"}) {
      CAPTURE(what, message);
      ScriptedServer server(script);
      SendOptions options = options_for(server, message);
      options.id = options.message == "-" ? std::nullopt : std::optional<RequestId>("mine");
      options.timeout_ms = 1;
      const Run result = run(options, "x\n", 256, std::chrono::milliseconds{50});
      CHECK(result.status == 1);
      CHECK(has(result.errors, "51 ms"));
      CHECK(has(result.errors, "outcome unknown"));
    }
  }
}

TEST_CASE("a server that takes no bytes does not hold up a timeout", "[send]") {
  Pipe gate;
  ScriptedServer server([&](Peer&) { (void)gate.read_to_end(); }, 4096);
  SendOptions options = options_for(server, std::string(8 << 20, 'x'));
  options.timeout_ms = 1;
  const Run result = run(options, {}, 256, std::chrono::milliseconds{50});
  gate.close_writer();
  CHECK(result.status == 1);
  CHECK(result.errors == "sluice send: not published: no reply (none within 51 ms)\n");
}

TEST_CASE("send refuses a payload that is no JSON, and options that contradict each other",
          "[send]") {
  ScriptedServer server([](Peer& peer) { peer.read_to_end(); });
  SendOptions options = options_for(server, "{");
  options.json = true;
  const Run broken = run(options);
  CHECK(broken.status == 1);
  CHECK(has(broken.errors, "refused: bad request (payload is not one JSON value)"));
  options.base64 = true;
  CHECK(run(options).status == 2);
  options = options_for(server, "-");
  options.id = 5;
  const Run named = run(options);
  CHECK(named.status == 2);
  CHECK(has(named.errors, "--id"));
}

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
