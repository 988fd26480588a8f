// What all clients of one server share. The Server owns it, its ClientConnections refer to it.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/delegate.h"
#include "client/buffers.h"
#include "client/client_log.h"
#include "client/counters.h"
#include "client/deadlines.h"
#include "client/input_budget.h"
#include "config/config.h"
#include "ledger/intake.h"
#include "ledger/source.h"
#include "protocol/decoder.h"
#include "protocol/reply.h"
#include "protocol/request_end.h"
#include "protocol/spare_blocks.h"

namespace sluice::client {

class ClientConnection;

/// Why a connection was closed.
enum class CloseReason : std::uint8_t {
  ClosedByClient,
  Broken,
  Refused,
  BadFraming,
  ProxyProtocol,
  Overloaded,
  RequestTimeout,
  WriteTimeout,
  Idle,
  Stopping,
};

constexpr std::string_view to_string(CloseReason reason) noexcept {
  switch (reason) {
    case CloseReason::ClosedByClient:
      return "by the client";
    case CloseReason::Broken:
      return "connection lost";
    case CloseReason::Refused:
      return "max_connections reached";
    case CloseReason::BadFraming:
      return "invalid framing";
    case CloseReason::ProxyProtocol:
      return "no PROXY protocol header, or one that is not allowed";
    case CloseReason::Overloaded:
      return "input_bytes exceeded; this client held the most";
    case CloseReason::RequestTimeout:
      return "a request took longer than request_timeout_ms";
    case CloseReason::WriteTimeout:
      return "no reply read for write_timeout_ms";
    case CloseReason::Idle:
      return "idle for idle_timeout_s";
    case CloseReason::Stopping:
      return "shutting down";
  }
  return "";
}

struct ServerContext {
  event::Loop& loop;
  ledger::Intake& intake;
  ledger::Source& source;                                 ///< the server, as the intake's source
  Delegate<void(ClientConnection&, CloseReason)> closed;  ///< retires it, destroys nothing
  Delegate<void()> input_exceeded;  ///< partial requests hold more than input_bytes
  config::Limits limits;
  Duration idle_timeout;
  protocol::Decoder decoder;
  protocol::ReplyEncoder encoder;
  InputBudget input;
  Deadlines deadlines;
  ClientLog client_log;
  ServerCounters counters = {};
  Buffers buffers = {};
  std::size_t longest_brokers = 0;   ///< the bytes that `brokers` of a reply has at most
  protocol::SpareBlocks spare = {};  ///< for requests that come in pieces
  protocol::RequestEnd request_end = {};
  bool draining = false;
  std::uint64_t last_number = 0;  ///< of the latest connection; its log lines name it

  /// Reuses the memory of a finished request.
  void reuse(protocol::Request request) {
    spare.give_back(request.take_payload_block());
    decoder.reuse(std::move(request));
  }
};

}  // namespace sluice::client
