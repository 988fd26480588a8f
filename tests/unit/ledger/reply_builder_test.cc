// The one reply that follows from the brokers' results.
#include "ledger/reply_builder.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ledger_lab.h"
#include "mqtt/reason_codes.h"

using namespace sluice;
using namespace sluice::ledger;
using mqtt::DeliveryOutcome;
using protocol::ErrorKind;
using protocol::Published;
using protocol::Reply;

namespace {

/// The result of one broker's delivery.
enum class Fate { Ok, Unheard, Refused, Poisoned, TimedOut, NotTaken };

/// A pending request with one delivery for each fate, at the brokers a, b, c.
class Case {
 public:
  explicit Case(const std::vector<Fate>& fates)
      : lab_({broker_named("a"), broker_named("b"), broker_named("c")}), lanes_(fates.size()) {
    pending_.set_brokers(fates.size());
    for (std::size_t i = 0; i < fates.size(); ++i) {
      lanes_[i].pool = lab_.pools[i].get();
      BrokerDelivery& delivery = pending_.deliveries()[i];
      delivery.pending = &pending_;
      delivery.lane = &lanes_[i];
      settle(delivery, fates[i]);
    }
  }

  Reply reply() { return reply_of(pending_); }
  LedgerLab& lab() { return lab_; }

 private:
  static void settle(BrokerDelivery& delivery, Fate fate) {
    switch (fate) {
      case Fate::Ok:
        return delivery.finish({.kind = DeliveryOutcome::Kind::Acknowledged});
      case Fate::Unheard:
        return delivery.finish({.kind = DeliveryOutcome::Kind::Acknowledged,
                                .reason_code = mqtt::reason::kNoMatchingSubscribers});
      case Fate::Refused:
        return delivery.finish({.kind = DeliveryOutcome::Kind::Rejected, .reason_code = 0x87});
      case Fate::Poisoned:
        return delivery.finish({.kind = DeliveryOutcome::Kind::Rejected,
                                .may_be_published = true,
                                .detail = "disconnected"});
      case Fate::TimedOut:
        delivery.handed_over = true;
        return delivery.abandon();
      case Fate::NotTaken:
        return delivery.abandon();
    }
  }

  LedgerLab lab_;
  std::vector<BrokerLane> lanes_;
  PendingRequest pending_;
};

Reply reply_to(const std::vector<Fate>& fates) {
  return Case(fates).reply();
}

std::string brokers_of(const Reply& reply) {
  std::string text;
  for (const auto& [name, result] : reply.brokers)
    text.append(name).append("=").append(result).append(" ");
  return text;
}

}  // namespace

TEST_CASE("one broker: each outcome has its reply", "[reply]") {
  struct Row {
    Fate fate;
    ErrorKind error;
    Published published;
    std::optional<int> reason_code;
  };
  const Row rows[] = {
      {Fate::Refused, ErrorKind::Rejected, Published::No, 0x87},
      {Fate::Poisoned, ErrorKind::Rejected, Published::Unknown, std::nullopt},
      {Fate::TimedOut, ErrorKind::Timeout, Published::Unknown, std::nullopt},
      {Fate::NotTaken, ErrorKind::BrokerUnavailable, Published::No, std::nullopt},
  };
  for (const Row& row : rows) {
    const Reply reply = reply_to({row.fate});
    CAPTURE(static_cast<int>(row.fate));
    CHECK_FALSE(reply.ok);
    CHECK(reply.error == row.error);
    CHECK(reply.published == row.published);
    CHECK(reply.reason_code == row.reason_code);
    CHECK(reply.brokers.empty());
    CHECK(has(reply.detail,
              row.fate == Fate::NotTaken ? "broker a has no connection" : "broker a: "));
  }
}

TEST_CASE("a reply says why a broker has no connection, as long as it has none", "[reply]") {
  Case one({Fate::NotTaken});
  LedgerLab& lab = one.lab();
  CHECK(one.reply().detail == "broker a has no connection yet");
  lab.pools[0]->start();
  lab.settle();
  lab.connection().end({mqtt::Loss::Kind::Unreachable, 0, "Connection refused"});
  CHECK(one.reply().detail == "broker a has no connection: Connection refused");
  lab.advance(Duration(1));
  lab.settle();
  lab.connection().accept();
  CHECK(one.reply().detail == "broker a: no connection available before the deadline");
}

TEST_CASE("one broker: an acknowledgement is code 1 and nothing else", "[reply]") {
  const Reply sent = reply_to({Fate::Ok});
  CHECK(sent.ok);
  CHECK_FALSE(sent.no_subscribers);
  CHECK_FALSE(sent.reason_code);
  const Reply unheard = reply_to({Fate::Unheard});
  CHECK(unheard.ok);
  CHECK(unheard.no_subscribers);
}

TEST_CASE("several brokers: code 1 where all acknowledged", "[reply]") {
  const Reply sent = reply_to({Fate::Ok, Fate::Ok});
  CHECK(sent.ok);
  CHECK_FALSE(sent.no_subscribers);
  CHECK(sent.brokers.empty());
  CHECK_FALSE(reply_to({Fate::Ok, Fate::Unheard}).no_subscribers);
  CHECK(reply_to({Fate::Unheard, Fate::Unheard}).no_subscribers);
}

TEST_CASE("several brokers: the common error where all failed alike", "[reply]") {
  const Reply refused = reply_to({Fate::Refused, Fate::Refused});
  CHECK(refused.error == ErrorKind::Rejected);
  CHECK(refused.published == Published::No);
  CHECK(refused.reason_code == 0x87);
  CHECK(brokers_of(refused) == "a=rejected b=rejected ");

  const Reply late = reply_to({Fate::TimedOut, Fate::TimedOut, Fate::TimedOut});
  CHECK(late.error == ErrorKind::Timeout);
  CHECK(late.published == Published::Unknown);
  CHECK(brokers_of(late) == "a=timeout b=timeout c=timeout ");

  const Reply away = reply_to({Fate::NotTaken, Fate::NotTaken});
  CHECK(away.error == ErrorKind::BrokerUnavailable);
  CHECK(away.published == Published::No);

  const Reply poison = reply_to({Fate::Refused, Fate::Poisoned});
  CHECK(poison.error == ErrorKind::Rejected);
  CHECK(poison.published == Published::Unknown);
}

TEST_CASE("several brokers: timeout where anything is unknown", "[reply]") {
  const std::vector<std::vector<Fate>> mixtures = {
      {Fate::Ok, Fate::TimedOut},       {Fate::TimedOut, Fate::Ok},
      {Fate::Refused, Fate::TimedOut},  {Fate::NotTaken, Fate::TimedOut},
      {Fate::Ok, Fate::Poisoned},       {Fate::NotTaken, Fate::Poisoned},
      {Fate::TimedOut, Fate::Poisoned}, {Fate::Ok, Fate::Refused, Fate::TimedOut},
  };
  for (const auto& fates : mixtures) {
    const Reply reply = reply_to(fates);
    CAPTURE(brokers_of(reply));
    CHECK(reply.error == ErrorKind::Timeout);
    CHECK(reply.published == Published::Unknown);
    CHECK(reply.brokers.size() == fates.size());
  }
  CHECK(brokers_of(reply_to({Fate::Ok, Fate::TimedOut})) == "a=ok b=timeout ");
}

TEST_CASE("several brokers: partial where some acknowledged and the rest surely did not",
          "[reply]") {
  const Reply refused = reply_to({Fate::Ok, Fate::Refused});
  CHECK(refused.error == ErrorKind::Partial);
  CHECK(refused.published == Published::Some);
  CHECK(brokers_of(refused) == "a=ok b=rejected ");
  const Reply away = reply_to({Fate::NotTaken, Fate::Unheard});
  CHECK(away.error == ErrorKind::Partial);
  CHECK(away.published == Published::Some);
  CHECK(brokers_of(away) == "a=broker_unavailable b=ok ");
}

TEST_CASE("several brokers: none has it, each for a reason of its own", "[reply]") {
  const Reply reply = reply_to({Fate::Refused, Fate::NotTaken});
  CHECK(reply.error == ErrorKind::Partial);
  CHECK(reply.published == Published::No);
  CHECK(has(reply.detail, "broker a: "));
  CHECK(has(reply.detail, "; broker b has no connection"));
}
