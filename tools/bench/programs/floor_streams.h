// What sluice-bench-floor reads and writes: requests, clients, and the connections to the broker.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "buffer.h"
#include "publisher_wire.h"

namespace sluice::bench {

constexpr std::size_t kMaxUnacknowledged = 65535;

[[noreturn]] inline void fail(const char* what, const char* why) {
  std::fprintf(stderr, "sluice-bench-floor: %s: %s\n", what, why);
  std::exit(1);
}

struct Request {
  std::string_view topic;
  std::string_view message;
  bool is_acknowledged;  ///< QoS 1
};

/// Each byte of a large message was looked at once, for the end of the line; not here again.
inline std::optional<Request> find_request(std::string_view line) {
  constexpr std::string_view kTopic = "\"mqtt_topic\":\"";
  constexpr std::string_view kMessage = "\",\"message\":\"";
  constexpr std::string_view kQos = "\",\"qos\":";
  const std::size_t topic = line.find(kTopic);
  const std::size_t between = line.find(kMessage, topic);
  const std::size_t end = line.rfind(kQos);
  if (topic == std::string_view::npos || between == std::string_view::npos ||
      end == std::string_view::npos || end < between + kMessage.size()) {
    return std::nullopt;
  }
  Request request;
  request.topic = line.substr(topic + kTopic.size(), between - topic - kTopic.size());
  request.message = line.substr(between + kMessage.size(), end - between - kMessage.size());
  const std::string_view qos = line.substr(end + kQos.size(), 1);
  request.is_acknowledged = qos == "1";
  const bool is_known = request.is_acknowledged || qos == "0";
  if (!is_known || request.topic.empty() || request.topic.size() > 0xFFFF) return std::nullopt;
  return request;
}

/// A socket that epoll watches, with what was read of it and what is to be written to it.
struct Stream {
  explicit Stream(bool is_a_link) : is_link(is_a_link) {}

  const bool is_link;  ///< else a client
  int socket = -1;
  Buffer input;  ///< the start of what has not come whole; empty most of the time
  Buffer output;
  std::uint64_t written = 0;
  bool is_full = false;    ///< waits until the socket takes more
  bool is_ending = false;  ///< nothing more is read
  std::uint32_t watched = 0;

  /// Writes once; false where the socket is broken.
  bool write() {
    if (output.is_empty() || is_full) return true;
    const std::string_view bytes = output.bytes();
    const ssize_t done = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done < 0 && errno != EAGAIN && errno != EINTR) return false;
    written += static_cast<std::uint64_t>(std::max<ssize_t>(done, 0));
    output.take(static_cast<std::size_t>(std::max<ssize_t>(done, 0)));
    is_full = !output.is_empty();
    return true;
  }
};

struct Link;

struct Client : Stream {
  explicit Client(Link& its_link) : Stream(false), link(&its_link) {}

  Link* link;
  std::list<Client>::iterator self;
  std::size_t unanswered = 0;
  std::size_t searched = 0;  ///< this many bytes of `input` hold no end of a line
  bool is_touched = false;   ///< is in the list of this turn
};

/// A connection to the broker. What waits for its reply stands in the order in which it was
/// published, which is also that of the acknowledgements (MQTT 5, section 4.6).
struct Link : Stream {
  struct Waiting {
    Client* client;
    std::uint64_t written_at;  ///< QoS 0: done when so much was written; QoS 1: 0
  };

  Link() : Stream(true) {}
  void publish(Client& client, const Request& request);

  std::deque<Waiting> waiting;
  std::uint16_t last_published = 0;
  std::uint16_t last_acknowledged = 0;
  std::size_t unacknowledged = 0;
};

inline std::uint16_t next_id(std::uint16_t id) {
  return static_cast<std::uint16_t>(id == 0xFFFF ? 1 : id + 1);
}

inline char* put(char* at, std::string_view bytes) {
  std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

inline char* put_number(char* at, std::size_t number) {
  *at++ = static_cast<char>(number >> 8);
  *at++ = static_cast<char>(number & 0xFF);
  return at;
}

inline void Link::publish(Client& client, const Request& request) {
  const bool is_acknowledged = request.is_acknowledged;
  const std::size_t size =
      2 + request.topic.size() + (is_acknowledged ? 2 : 0) + 1 + request.message.size();
  const std::string header = fixed_header(is_acknowledged ? 0x32 : 0x30, size);
  char* at = put(output.room(header.size() + size), header);
  at = put(put_number(at, request.topic.size()), request.topic);
  if (is_acknowledged) {
    if (++unacknowledged > kMaxUnacknowledged) fail("a connection", "no packet identifier is free");
    last_published = next_id(last_published);
    at = put_number(at, last_published);
  }
  *at++ = 0;  // no properties
  put(at, request.message);
  output.add(header.size() + size);
  waiting.push_back({&client, is_acknowledged ? 0 : written + output.bytes().size()});
  ++client.unanswered;
}

}  // namespace sluice::bench
