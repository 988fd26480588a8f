#include "client/client_log.h"

#include <algorithm>

#include "event/loop.h"

namespace sluice::client {

ClientLog::ClientLog(event::Loop& loop)
    : loop_(loop),
      timer_(loop, bind<&ClientLog::report_repeats>(this)),
      kinds_{{{"client refused", "clients refused", log::Level::Warn},
              {"faulty request", "faulty requests", log::Level::Info},
              {"connection closed because of another protocol",
               "connections closed because of another protocol", log::Level::Info},
              {"client closed because of input_bytes", "clients closed because of input_bytes",
               log::Level::Warn},
              {"connection closed because of the PROXY protocol",
               "connections closed because of the PROXY protocol", log::Level::Warn},
              {"request dropped because its client had gone",
               "requests dropped because their clients had gone", log::Level::Info}}} {
  timer_.unref();
}

void ClientLog::refused(unsigned max_connections) noexcept {
  log::at(note(refusals()), "max_connections ({}) reached: new clients are refused",
          max_connections);
}

void ClientLog::faulty(const log::Subject& client, protocol::ErrorKind error,
                       std::string_view detail) noexcept {
  if (error == protocol::ErrorKind::Overloaded) return;  // input_exceeded() logs it
  log::at(note(faults()), client, "{}: {}", to_string(error), detail);
}

void ClientLog::not_our_protocol(const log::Subject& client, std::string_view detail) noexcept {
  log::at(note(wrong_protocols()), client, "closed: {}", detail);
}

void ClientLog::proxy_refused(const log::Subject& client, std::string_view why) noexcept {
  log::at(note(proxy_refusals()), client, "closed: {}", why);
}

void ClientLog::http(const log::Subject& client) noexcept {
  if (admin_address_.empty()) {
    not_our_protocol(client,
                     "received an HTTP request ([admin] listen, which speaks HTTP, is off)");
    return;
  }
  log::at(note(wrong_protocols()), client,
          "closed: received an HTTP request ([admin] listen speaks HTTP: http://{})",
          admin_address_);
}

void ClientLog::input_exceeded(const log::Subject& client, std::size_t input_bytes) noexcept {
  log::at(note(input_excesses()), client,
          "closed: input_bytes ({}) exceeded by partial requests; this client held the most",
          input_bytes);
}

void ClientLog::dropped_request(const log::Subject& client, std::string_view why) noexcept {
  log::at(note(dropped_requests()), client,
          "closed: {}; its request that waited for room is dropped", why);
}

log::Level ClientLog::note(Kind& kind) noexcept {
  const bool is_written = kind.repeats.note(loop_.now());
  if (!timer_.is_active()) timer_.start(kind.repeats.due() - loop_.now());
  return is_written ? kind.level : log::Level::Debug;
}

void ClientLog::report_repeats() noexcept {
  TimePoint next = TimePoint::max();
  for (Kind& kind : kinds_) {
    const auto summary = kind.repeats.look(loop_.now());
    if (summary && summary->more > 0) log::at(kind.level, "{}", summary->text(kind.one, kind.many));
    next = std::min(next, kind.repeats.due());
  }
  if (next != TimePoint::max()) timer_.start(next - loop_.now());
}

void ClientLog::finish() noexcept {
  for (Kind& kind : kinds_) {
    const LogThrottle::Summary summary = kind.repeats.end();
    if (summary.more > 0) log::at(kind.level, "{}", summary.text(kind.one, kind.many));
  }
  timer_.stop();
}

}  // namespace sluice::client
