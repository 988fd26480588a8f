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
#include "send_run.h"

using namespace sluice;
using namespace sluice::cli;
using namespace sluice::test;

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
