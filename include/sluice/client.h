// The client of the sluice gateway for C++ programs: connect, publish, and many messages in flight.
// Needs the standard library and POSIX sockets only; link with libsluice-client. docs/client.md has
// a guide and an example.
//
// One Client is one connection and belongs to one thread at a time: it is not thread-safe. It
// starts no threads and installs no signal handlers; a broken connection raises no SIGPIPE. Network
// faults are results, never exceptions (only running out of memory throws).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sluice {

/// A device: an integer, or the same as text (`-?[0-9]{1,19}`).
using DeviceId = std::variant<std::int64_t, std::string>;
/// A request's id; the server echoes it. Text has at most 256 bytes.
using RequestId = std::variant<std::int64_t, std::string>;
/// Names one submitted message; from 1 on, never used twice by one Client.
using Ticket = std::uint64_t;

/// How the server reads Message::payload.
enum class PayloadKind {
  Bytes,   ///< any bytes; what is not UTF-8 is sent as base64 automatically
  Json,    ///< one JSON value; a string stands for its characters, anything else for its text
  Base64,  ///< base64 text (RFC 4648 section 4, padded); the server decodes it
};

/// MQTT 5 properties of a message. Empty means absent.
struct MessageProperties {
  std::string content_type;
  std::string response_topic;
  std::string correlation_data;  ///< any bytes
  std::optional<std::uint32_t> message_expiry_s;
  std::vector<std::pair<std::string, std::string>> user;  ///< at most 256; names must differ
};

/// One message to publish. The client copies what it needs; the caller keeps the object.
struct Message {
  DeviceId device_id = std::int64_t{0};
  std::string topic;
  std::string payload;
  PayloadKind payload_kind = PayloadKind::Bytes;
  std::optional<int> qos = {};  ///< 0, 1 or 2; absent: the server's default
  bool retain = false;
  std::optional<std::chrono::milliseconds> timeout = {};  ///< absent: the server's default
  MessageProperties properties = {};
  /// Absent: the client chooses an integer. No two messages in flight may have the same.
  std::optional<RequestId> id = {};
};

/// What became of a message.
enum class Outcome {
  Published,     ///< acknowledged by every broker (QoS 0: taken by every broker's socket)
  NotPublished,  ///< it is not, and will not be: sending it again is harmless
  Unknown,       ///< it may have been, or still be: sending it again may repeat it
  Partial,       ///< some brokers acknowledged, others did not: see PublishResult::brokers
  Refused,       ///< not published, and the same message will be refused again
};

/// "published", "not published", "unknown", "partial" or "refused".
std::string_view to_string(Outcome outcome) noexcept;

/// The result of one message. Owns all it holds.
struct PublishResult {
  Ticket ticket = 0;
  Outcome outcome = Outcome::Unknown;
  bool no_subscribers = false;  ///< Published, and the broker reported no subscriber
  /// Empty where published; else the server's `error` (docs/protocol.md: `timeout`, `no_route`,
  /// ...), or one of the client's own: `not_connected`, `connection_lost`, `no_reply`.
  std::string error;
  std::string detail;  ///< for people
  std::optional<int> reason_code;
  /// Set where a rate was exceeded: how long to wait.
  std::optional<std::chrono::milliseconds> retry_after;
  /// Broker name and its outcome, where several brokers were involved and not all acknowledged.
  std::vector<std::pair<std::string, std::string>> brokers;
  std::optional<RequestId> id;  ///< as sent, whether the caller or the client chose it
  std::string reply;            ///< the reply as received; empty where none came
};

struct ClientOptions {
  std::string token;  ///< for servers that ask for one; empty: none
  /// For all addresses of a name together. Looking up the name itself is not covered.
  std::chrono::milliseconds connect_timeout{5000};
  /// With messages unanswered, the connection ends (`no_reply`) after this long without the reply
  /// to one of them or a byte accepted. Should exceed the server's `max_timeout_ms`. 0: never.
  std::chrono::milliseconds reply_timeout{75000};
  /// Messages submitted whose results are not collected yet.
  std::size_t window = 256;
  /// Bytes that the socket has not taken yet; one message always goes.
  std::size_t window_bytes = std::size_t{8} * 1024 * 1024;
  /// false: messages without an id go without one. Then only one can be in flight.
  bool own_ids = true;
};

class Client {
 public:
  /// Does not connect yet.
  explicit Client(ClientOptions options = {});
  /// Closes the connection; uncollected results are lost.
  ~Client();
  Client(Client&& other) noexcept;  // other may only be assigned to or destroyed afterwards
  Client& operator=(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Connects, blocking, to `HOST[:PORT]`, `[V6][:PORT]`, `tcp://HOST[:PORT]` or `unix:///PATH`
  /// (`tls://` is not supported yet); the port is 9501 unless it is named. Closes a former
  /// connection first. On false, error() says why.
  bool connect(std::string_view address);
  /// Whether the connection is open as far as the client knows. The next call that uses the socket
  /// notices a server that has closed it.
  bool is_connected() const noexcept;
  /// Why the last connect() failed or the connection ended; else empty.
  const std::string& error() const noexcept;
  /// Ends the connection. Unanswered messages become Unknown or NotPublished; results stay.
  void close();

  /// Sends one message and waits for its result, however long that takes (see reply_timeout). Not
  /// counted in the window; results of submitted messages stay for next_result().
  PublishResult publish(const Message& message);

  /// Begins to send one message without waiting for anything. Nothing is returned where the window
  /// is full: collect a result first. Everything else, a lost connection or a faulty message
  /// included, is reported by the result. Bytes the socket does not take at once go out during
  /// later calls.
  std::optional<Ticket> submit(const Message& message);
  /// Whether submit() would take a message now.
  bool can_submit() const noexcept;
  /// The next result, in the order in which they become known. Waits at most timeout (0: not at
  /// all; negative: without limit). Nothing: the time is over, or nothing is outstanding.
  std::optional<PublishResult> next_result(
      std::chrono::milliseconds timeout = std::chrono::milliseconds{-1});
  /// Messages submitted whose results are not collected yet.
  std::size_t outstanding() const noexcept;

  /// For a program's own poll loop: the socket, or -1. Wait until it is readable (or writable where
  /// wants_write()), then call next_result(0ms) until it returns nothing. The client owns it: do
  /// not read, write or close it.
  int native_handle() const noexcept;
  bool wants_write() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
