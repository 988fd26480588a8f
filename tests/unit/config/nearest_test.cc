// Which known name is near a wrong one.
#include "config/nearest.h"

#include "catch.h"

namespace sluice::config {
namespace {

using Names = std::vector<std::string>;
const Names kKnown = {"name",           "url",         "min_dev_no",    "max_dev_no",
                      "connections",    "client_id",   "keepalive_s",   "connect_timeout_ms",
                      "ack_timeout_ms", "queue_bytes", "queue_messages"};

}  // namespace

TEST_CASE("a name that says the same, or begins or holds a known one, is near it") {
  CHECK(nearest("minDevNo", kKnown) == Names{"min_dev_no"});
  CHECK(nearest("CLIENT-ID", kKnown) == Names{"client_id"});
  CHECK(nearest("queue", kKnown) == Names{"queue_bytes", "queue_messages"});
  CHECK(nearest("keepalive", kKnown) == Names{"keepalive_s"});
  CHECK(nearest("timeout_ms", kKnown) == Names{"connect_timeout_ms", "ack_timeout_ms"});
  CHECK(nearest("mqtt_url", kKnown) == Names{"url"});
  CHECK(nearest("client_id_prefix", kKnown) == Names{"client_id"});
}

TEST_CASE("a misspelled name is near the one that takes the fewest changes") {
  CHECK(nearest("conections", kKnown) == Names{"connections"});
  CHECK(nearest("keepalive_ms", kKnown) == Names{"keepalive_s"});
  CHECK(nearest("frobnicate", kKnown).empty());
  CHECK(nearest("x", kKnown).empty());
  CHECK(nearest("chk", {"check", "serve"}) == Names{"check"});
  CHECK(nearest("ssl", kKnown).empty());  // two changes from url
  CHECK(nearest("name", {}).empty());
}

TEST_CASE("names that share words are found, those with the most first of all") {
  CHECK(of_same_words("queue_size", kKnown) == Names{"queue_bytes", "queue_messages"});
  CHECK(of_same_words("ack_timeout_s", kKnown) == Names{"ack_timeout_ms"});
  CHECK(of_same_words("size", kKnown).empty());
}

TEST_CASE("no more are named than can be read") {
  const Names many(20, "some_timeout_ms");
  CHECK(nearest("timeout", many).size() == kMostNear);
  CHECK(of_same_words("timeout", many).size() == kMostNear);
}

TEST_CASE("a name of any length is compared") {
  const std::string endless(std::size_t{1} << 20U, 'k');
  CHECK(nearest(endless, kKnown).empty());
  CHECK(of_same_words(endless + "_queue", kKnown).empty());
}

TEST_CASE("the edit distance counts what was added, dropped and replaced") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("max_conections", "max_connections") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("same", "same") == 0);
}

}  // namespace sluice::config
