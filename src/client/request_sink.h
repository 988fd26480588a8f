// What the client layer and the layer above it say to each other: who asked, where the reply goes,
// and who takes the requests.
#pragma once

#include <cstdint>

#include "protocol/request.h"

namespace sluice::client {

/// One accepted connection. An id is never used twice: that of a client that is gone finds nobody.
struct ClientId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  ///< 0: no client ever
  bool operator==(const ClientId&) const = default;
};

/// Where the reply to one request belongs.
struct ReplyTo {
  ClientId client;
  std::uint64_t slot = 0;  ///< its place in the order; 0: it carries an id and waits for nobody
};

/// Where decoded requests go; the layer above implements it.
class RequestSink {
 public:
  enum class Taken {
    Accepted,  ///< the request will be answered, or was
    Parked,    ///< held until there is room; the client reads no further until Server::resume()
  };
  /// Takes one request, each of which gets exactly one Server::reply(), possibly from inside this
  /// call (then the answer is Accepted).
  virtual Taken submit(ReplyTo reply_to, protocol::Request request) noexcept = 0;
  /// The client is gone: a parked request of it is dropped, accepted ones go on.
  virtual void forget(ClientId client) noexcept = 0;

 protected:
  ~RequestSink() = default;
};

}  // namespace sluice::client
