// Session takeover by another client: reported by the broker, or inferred.
#include <algorithm>

#include "base/log.h"
#include "log_capture.h"
#include "mqtt/reason_codes.h"
#include "pool_lab.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

void disconnect(PoolLab& lab, unsigned slot, int code = 0) {
  lab.connection(slot).lose(Loss::Kind::Disconnected, code);
  lab.accept_until(lab.pool->connections());
}

}  // namespace

TEST_CASE("three short connections of a slot while others stay up count as a takeover",
          "[pool][take-over]") {
  PoolLab lab(2);
  lab.bring_up();
  disconnect(lab, 0);
  disconnect(lab, 0);
  CHECK(lab.pool->counters().taken_over == 0);
  disconnect(lab, 0);
  CHECK(lab.pool->counters().taken_over == 1);
}

TEST_CASE("short connections of different slots are no takeover", "[pool][take-over]") {
  PoolLab lab(4);
  lab.bring_up();
  for (int round = 0; round < 2; ++round) {
    for (unsigned slot = 0; slot < 4; ++slot)
      disconnect(lab, slot);
  }
  CHECK(lab.pool->counters().taken_over == 0);
}

TEST_CASE("a broker that disconnects all, or for another reason, took nothing over",
          "[pool][take-over]") {
  PoolLab all;
  all.bring_up();
  PoolLab reasoned(2);
  reasoned.bring_up();
  for (int i = 0; i < 5; ++i) {
    disconnect(all, 0);
    disconnect(reasoned, 0, reason::kServerBusy);
  }
  CHECK(all.pool->counters().taken_over == 0);
  CHECK(reasoned.pool->counters().taken_over == 0);
}

TEST_CASE("a takeover that the broker reports counts at once", "[pool][take-over]") {
  PoolLab lab;
  lab.bring_up();
  disconnect(lab, 0, reason::kSessionTakenOver);
  CHECK(lab.pool->counters().taken_over == 1);
}

TEST_CASE("a message that the broker disconnects on is no takeover", "[pool][take-over]") {
  PoolLab lab(2);
  lab.bring_up();
  Note& poison = lab.send(1);
  const unsigned slot = lab.slot_of(poison);
  while (poison.times_done == 0) {
    lab.run_until([&] { return !lab.connection(slot).unacked.empty() || poison.times_done > 0; });
    if (poison.times_done == 0) disconnect(lab, slot);
  }
  CHECK(poison.is(DeliveryOutcome::Kind::Rejected));
  CHECK(lab.pool->counters().taken_over == 0);
}

TEST_CASE("a broker that takes the user name for the client identifier is named",
          "[pool][take-over]") {
  const bool has_username = GENERATE(true, false);
  // The one before is closed with a reason once the next is up, or without one before that.
  const bool is_closed_first = GENERATE(true, false);
  PoolLab lab(8, [&](config::Broker& broker) {
    if (has_username) broker.username = "shop";
  });
  LogCapture said(log::Level::Warn);
  lab.pool->start();
  // Each connection that comes up ends the one before it.
  unsigned up = 8;
  for (int round = 0; round < 6; ++round) {
    lab.run_until([&] { return lab.broker.pending() > 0; });
    const auto next = std::find_if(lab.broker.attempts.begin(), lab.broker.attempts.end(),
                                   [](const auto& attempt) { return attempt->is_pending(); });
    const std::shared_ptr<Connection> connection = *next;
    if (up < 8 && is_closed_first) lab.connection(up).lose(Loss::Kind::Disconnected);
    connection->accept();
    if (up < 8 && !is_closed_first)
      lab.connection(up).lose(Loss::Kind::Disconnected, reason::kSessionTakenOver);
    up = static_cast<unsigned>(connection->options.client_id[1] - '0');
    lab.turn();
  }
  CHECK(said.count("use the username (shop) as the client identifier") == (has_username ? 1 : 0));
}
