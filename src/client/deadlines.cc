#include "client/deadlines.h"

#include "client/client_connection.h"
#include "event/loop.h"

namespace sluice::client {

Deadlines::Deadlines(event::Loop& loop)
    : loop_(loop), timer_(loop, bind<&Deadlines::on_timer>(this)) {}

void Deadlines::watch(ClientConnection& client, TimePoint deadline) noexcept {
  if (client.is_waiting()) {
    if (client.deadline() <= deadline) return;
    queue_.remove(client);
  }
  queue_.insert(client, deadline);
  arm();
}

void Deadlines::forget(ClientConnection& client) noexcept {
  if (client.is_waiting()) queue_.remove(client);
}

void Deadlines::arm() noexcept {
  if (queue_.empty()) return;
  const TimePoint earliest = queue_.earliest();
  if (timer_.is_active() && armed_for_ <= earliest) return;
  armed_for_ = earliest;
  timer_.start(earliest - loop_.now());
}

void Deadlines::on_timer() noexcept {
  const TimePoint now = loop_.now();
  while (ClientConnection* due = queue_.pop_due(now))
    due->check_deadlines(now);
  arm();
}

}  // namespace sluice::client
