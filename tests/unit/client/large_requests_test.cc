// How large requests are read: in larger pieces, within a budget for each turn, and counted.
#include "reading_lab.h"

namespace sluice::client {

TEST_CASE("the rest of a large request is read in large pieces, and what follows in small ones",
          "[client][reading]") {
  ReadingLab lab;
  const std::string large = request_of(200000);
  lab.read_in_turn(large.substr(0, 8000));
  CHECK(lab.stream.read_size == kRead);
  lab.read(large.substr(8000, 200));
  CHECK(lab.stream.read_size == event::Loop::kReadBufferBytes);
  std::size_t at = 8200;
  for (; at + lab.stream.read_size < large.size(); at += lab.stream.read_size)
    lab.read(large.substr(at, lab.stream.read_size));
  CHECK(at == 8200 + 2 * event::Loop::kReadBufferBytes);
  lab.read(large.substr(at) + request("b"));
  CHECK(lab.topics() == "large b ");
  CHECK(lab.stream.read_size == kRead);
  CHECK(lab.stream.starts == 1);
}

TEST_CASE("where input_bytes are used up a large request is read in small pieces",
          "[client][reading]") {
  config::Limits limits;
  limits.input_bytes = 40000;
  ReadingLab lab(limits);
  const std::string large = request_of(30000);
  lab.read(large.substr(0, 10000));
  CHECK(lab.stream.read_size == event::Loop::kReadBufferBytes);
  std::uint32_t counted = 0;
  lab.context.input.set_complete(counted, 35000);  // other clients' bytes
  lab.read(large.substr(10000, 1000));
  CHECK(lab.stream.read_size == kRead);
  lab.context.input.set_complete(counted, 0);
}

TEST_CASE("a client that sends much is read from until its share of a turn is used",
          "[client][reading]") {
  ReadingLab lab;
  const std::string large = request_of(1000000);
  std::size_t at = 0;
  while (lab.stream.is_reading && at + lab.stream.read_size < large.size()) {
    const std::size_t size = lab.stream.read_size;
    lab.read(large.substr(at, size));
    at += size;
  }
  CHECK(at >= 524288);
  CHECK(at < 524288 + event::Loop::kReadBufferBytes);
  CHECK_FALSE(lab.stream.is_reading);
  lab.loop.run_turns();
  CHECK(lab.stream.is_reading);
}

TEST_CASE("what a large read leaves undecoded counts for input_bytes beyond a usual read",
          "[client][reading]") {
  config::Limits limits;
  limits.input_bytes = 60000;
  ReadingLab lab(limits);
  const std::string large = request_of(20000);
  lab.read(large.substr(0, 15000));
  CHECK(lab.client.partial_bytes() == 15000);
  lab.read(large.substr(15000) + request("full") + std::string(60000, ' '));
  CHECK(lab.topics() == "large full ");
  CHECK(lab.client.partial_bytes() == 0);
  CHECK_FALSE(lab.context.input.is_full());
  std::uint32_t counted = 0;
  lab.context.input.set_complete(counted, 60000 - 40000);
  CHECK(lab.context.input.is_full());
  lab.resume();
  CHECK_FALSE(lab.context.input.is_full());
  lab.context.input.set_complete(counted, 60000 - 100);
  CHECK_FALSE(lab.context.input.is_full());  // nothing is left
  lab.context.input.set_complete(counted, 0);
}

TEST_CASE("a request of which a large read brought more than a usual one goes on",
          "[client][reading]") {
  config::Limits limits;
  limits.input_bytes = 60000;
  ReadingLab lab(limits);
  const std::string large = request_of(50000);
  lab.read(large.substr(0, 15000));
  std::uint32_t counted = 0;
  lab.context.input.set_complete(counted, 60000);  // after the size of the next read was chosen
  lab.read(large.substr(15000) + large.substr(0, 20000));
  CHECK_FALSE(lab.client.is_paused());
  CHECK(lab.client.partial_bytes() >= 20000);
  lab.read(large.substr(20000, kRead));
  lab.read(large.substr(20000 + kRead) + large.substr(0, 2000));
  CHECK(lab.topics() == "large large ");
  CHECK(lab.client.is_paused_for(PauseReason::Input));
  CHECK(lab.client.partial_bytes() == 0);
  lab.context.input.set_complete(counted, 0);
}

TEST_CASE("the memory of a large request serves the next one, and an idle client holds none",
          "[client][reading]") {
  ReadingLab lab;
  const std::string large = request_of(100000);
  for (int i = 0; i < 3; ++i) {
    for (std::size_t at = 0; at < large.size(); at += kRead)
      lab.read_in_turn(large.substr(at, kRead));
    CHECK(lab.context.spare.kept_bytes() == (34 << 10) + (68 << 10) + (136 << 10));
    CHECK(lab.client.partial_bytes() == 0);
  }
  CHECK(lab.topics() == "large large large ");
}

}  // namespace sluice::client
