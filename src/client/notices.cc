#include "client/notices.h"

#include <algorithm>

#include "event/loop.h"

namespace sluice::client {

Notices::Notices(event::Loop& loop)
    : loop_(loop),
      timer_(loop, bind<&Notices::look>(this)),
      matters_{{{"clients refused", log::Level::Warn},
                {"faulty requests", log::Level::Info},
                {"connections ended because of what they sent", log::Level::Info},
                {"clients ended because of input_bytes", log::Level::Warn}}} {
  timer_.unref();
}

void Notices::refused(unsigned max_connections) noexcept {
  log::at(note(refusals()), "max_connections ({}) reached: new clients are refused",
          max_connections);
}

void Notices::faulty(const log::Subject& client, protocol::ErrorKind error,
                     std::string_view detail) noexcept {
  if (error == protocol::ErrorKind::Overloaded) return;  // told by overrun()
  log::at(note(faults()), client, "{}: {}", to_string(error), detail);
}

void Notices::foreign(const log::Subject& client, std::string_view detail) noexcept {
  log::at(note(strangers()), client, "ended: {}", detail);
}

void Notices::overrun(const log::Subject& client, std::size_t input_bytes) noexcept {
  log::at(note(overruns()), client,
          "ended: requests partly received overran input_bytes ({}), and it held most of them",
          input_bytes);
}

log::Level Notices::note(Matter& matter) noexcept {
  const bool is_written = matter.repeats.note(loop_.now());
  if (!timer_.is_active()) timer_.start(matter.repeats.due() - loop_.now());
  return is_written ? matter.level : log::Level::Debug;
}

void Notices::look() noexcept {
  TimePoint next = TimePoint::max();
  for (Matter& matter : matters_) {
    const auto summary = matter.repeats.look(loop_.now());
    if (summary && summary->more > 0) log::at(matter.level, "{}", summary->text(matter.what));
    next = std::min(next, matter.repeats.due());
  }
  if (next != TimePoint::max()) timer_.start(next - loop_.now());
}

void Notices::finish() noexcept {
  for (Matter& matter : matters_) {
    const LogThrottle::Summary summary = matter.repeats.end();
    if (summary.more > 0) log::at(matter.level, "{}", summary.text(matter.what));
  }
  timer_.stop();
}

}  // namespace sluice::client
