// The contract of TransportEvents (mqtt/transport/transport.h), sentence by sentence, over both
// forms of Transport, the real one plain and with TLS. Reports checks throughout that none comes
// from within a call.
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "transport_forms.h"

using namespace sluice;
using namespace sluice::mqtt;

namespace {

using Texts = std::vector<std::string>;

/// The connection was found dead in sending a message.
template <class Form>
void break_in_flush(Form& form) {
  form.break_unnoticed();
  REQUIRE(form.publish(1) == PublishStatus::Queued);
  form.flush();
}

}  // namespace

#define CONFORMANCE_CASE(sentence)                                                          \
  TEMPLATE_TEST_CASE(sentence, "[transport][conformance]", PlainForm, Tls12Form, Tls13Form, \
                     FakeForm)

// --- the beginning

CONFORMANCE_CASE("a connection that is accepted is reported once") {
  TestType form;
  REQUIRE(form.connect(form.port()));
  form.loop.run_turns(8);
  CHECK(form.reports.all.empty());
  form.accept();
  form.wait_for(1);
  CHECK(form.reports.all == Texts{"connected"});
}

CONFORMANCE_CASE("a refusal is reported as the end, with its code, and as nothing else") {
  TestType form;
  REQUIRE(form.connect(form.port()));
  form.refuse(0x87);  // not authorized
  form.wait_for(1);
  CHECK(form.reports.all == Texts{"lost"});
  CHECK(form.reports.last_loss.kind == Loss::Kind::Refused);
  CHECK(form.reports.last_loss.reason_code == 0x87);
}

CONFORMANCE_CASE("a broker that cannot be reached is returned by connect(), or reported later") {
  TestType form;
  form.make_unreachable();
  const bool has_begun = static_cast<bool>(form.connect(form.port()));
  if (has_begun) {
    form.wait_for(1);
    CHECK(form.reports.last_loss.kind == Loss::Kind::Unreachable);
  }
  form.loop.run_turns(8);
  CHECK(form.reports.all == (has_begun ? Texts{"lost"} : Texts{}));
}

// --- acknowledgements and room

CONFORMANCE_CASE("acknowledgements are reported once each, in the order in which they come") {
  TestType form;
  form.establish(form);
  for (int i = 0; i < 3; ++i)
    REQUIRE(form.publish(1) == PublishStatus::Queued);
  form.flush();
  form.await_publishes(3);
  form.loop.run_turns(8);
  CHECK(form.reports.all.empty());
  form.acknowledge({form.ids[1], form.ids[0], form.ids[2]});
  form.wait_for(3);
  CHECK(form.reports.all == Texts{"acknowledged 2", "acknowledged 1", "acknowledged 3"});
}

CONFORMANCE_CASE("QoS 0 that a flush has sent is acknowledged at the end of the turn") {
  TestType form;
  form.establish(form);
  form.take_qos0();
  REQUIRE(form.publish(0) == PublishStatus::Queued);
  REQUIRE(form.publish(0) == PublishStatus::Queued);
  form.flush();
  form.tick();
  form.expect_acks(2);
  CHECK(form.reports.all.empty());
  form.loop.run_turns(1);
  CHECK(form.reports.all == Texts{"acknowledged 1", "acknowledged 2"});
}

CONFORMANCE_CASE("room is reported only after the socket was full, and when it is so no more") {
  TestType form;
  form.establish(form);
  form.stall();
  form.loop.run_turns(8);
  CHECK(form.transport->is_congested());
  CHECK(form.reports.count("writable") == 0);
  form.reports.then = [&](const std::string& what) {
    if (what == "writable") CHECK_FALSE(form.transport->is_congested());
  };
  form.go_on();
  form.loop.run_turns(8);
  CHECK(form.reports.count("writable") == 1);
}

CONFORMANCE_CASE("a socket that was never full reports no room") {
  TestType form;
  form.establish(form);
  REQUIRE(form.publish(1) == PublishStatus::Queued);
  form.flush();
  form.await_publishes(1);
  form.acknowledge(form.ids);
  form.wait_for(1);
  CHECK(form.reports.count("writable") == 0);
}

// --- the end

CONFORMANCE_CASE("what was acknowledged before the end is reported before it") {
  TestType form;
  form.establish(form);
  REQUIRE(form.publish(1) == PublishStatus::Queued);
  REQUIRE(form.publish(1) == PublishStatus::Queued);
  form.flush();
  form.await_publishes(2);
  form.acknowledge_and_disconnect(form.ids, 0x8B);  // server shutting down
  form.wait_for(3);
  CHECK(form.reports.all == Texts{"acknowledged 1", "acknowledged 2", "lost"});
  CHECK(form.reports.last_loss.kind == Loss::Kind::Disconnected);
  CHECK(form.reports.last_loss.reason_code == 0x8B);
}

CONFORMANCE_CASE("a broker that closes the connection is reported as the end, once") {
  TestType form;
  form.establish(form);
  form.close_by_broker();
  form.wait_for(1);
  form.flush();
  form.tick();
  form.disconnect();
  CHECK(form.publish(1) == PublishStatus::Broken);
  form.loop.run_turns(8);
  CHECK(form.reports.all == Texts{"lost"});
  CHECK(form.reports.last_loss.kind == Loss::Kind::Disconnected);
}

CONFORMANCE_CASE("an end that a flush finds is reported at the end of the turn") {
  TestType form;
  form.establish(form);
  break_in_flush(form);
  CHECK(form.reports.all.empty());
  form.loop.run_turns(1);
  CHECK(form.reports.all == Texts{"lost"});
  CHECK(form.reports.last_loss.kind == Loss::Kind::Disconnected);
  form.loop.run_turns(8);
  CHECK(form.reports.all.size() == 1);
}

CONFORMANCE_CASE("QoS 0 that left with the flush that finds the end is acknowledged before it") {
  TestType form;
  form.establish(form);
  const auto break_behind_many = [&] {
    form.break_behind_qos0();
    for (int i = 0; i < 2000; ++i)  // several writes: the first one is answered with a reset
      REQUIRE(form.publish(0, 150) == PublishStatus::Queued);
    form.flush();
  };
  SECTION("and was called by itself") {
    break_behind_many();
  }
  SECTION("and was called from within a report") {
    REQUIRE(form.publish(1) == PublishStatus::Queued);
    form.flush();
    form.await_publishes(1);
    form.reports.then = [&](const std::string& what) {
      if (what == "acknowledged 1") break_behind_many();
    };
    form.acknowledge({1});
  }
  form.loop.run_until([&] { return form.reports.count("lost") > 0; });
  form.loop.run_turns(8);
  CHECK(form.reports.all.size() > 2);
  CHECK(form.reports.all.back() == "lost");
  CHECK(form.reports.count("lost") == 1);
}

CONFORMANCE_CASE("between the end and its report publish() answers Broken, and calls do nothing") {
  TestType form;
  form.establish(form);
  break_in_flush(form);
  CHECK(form.publish(1) == PublishStatus::Broken);
  form.flush();
  form.expect_acks(4);
  form.tick();
  form.disconnect();
  CHECK(form.reports.all.empty());
  form.loop.run_turns(8);
  CHECK(form.reports.all == Texts{"lost"});
}

CONFORMANCE_CASE("a disconnect is reported as Closed, once, when the broker has closed") {
  TestType form;
  form.establish(form);
  form.disconnect();
  form.disconnect();
  CHECK(form.publish(1) == PublishStatus::Broken);
  CHECK(form.reports.all.empty());
  form.close_after_disconnect();
  form.wait_for(1);
  CHECK(form.reports.all == Texts{"lost"});
  CHECK(form.reports.last_loss.kind == Loss::Kind::Closed);
}

CONFORMANCE_CASE("after drop() nothing is reported") {
  TestType form;
  SECTION("of an attempt") {
    REQUIRE(form.connect(form.port()));
    form.drop();
  }
  SECTION("of acknowledgements that come") {
    form.establish(form);
    REQUIRE(form.publish(1) == PublishStatus::Queued);
    form.flush();
    form.await_publishes(1);
    form.acknowledge(form.ids);
    form.reports.all.clear();
    form.drop();
  }
  SECTION("of QoS 0 that a flush has sent") {
    form.establish(form);
    form.take_qos0();
    REQUIRE(form.publish(0) == PublishStatus::Queued);
    form.flush();
    form.drop();
  }
  SECTION("of an end that a flush has found") {
    form.establish(form);
    break_in_flush(form);
    form.drop();
  }
  SECTION("of an end that was asked for") {
    form.establish(form);
    form.disconnect();
    form.drop();
  }
  form.drop();
  form.flush();
  form.tick();
  CHECK(form.publish(1) == PublishStatus::Broken);
  form.loop.run_turns(8);
  CHECK(form.reports.all.empty());
}

// --- what may be done from within a report

CONFORMANCE_CASE("from within a report messages may be published and sent") {
  TestType form;
  form.reports.then = [&](const std::string& what) {
    if (what != "connected" && what != "acknowledged 1") return;
    REQUIRE(form.publish(1) == PublishStatus::Queued);
    form.flush();
    form.expect_acks(1);
  };
  REQUIRE(form.connect(form.port()));
  form.accept();
  form.await_publishes(1);
  form.acknowledge({form.ids.front()});
  form.await_publishes(2);
  form.acknowledge({form.ids.back()});
  form.wait_for(3);
  CHECK(form.reports.all == Texts{"connected", "acknowledged 1", "acknowledged 2"});
}

CONFORMANCE_CASE("a drop from within a report is the end of reports") {
  TestType form;
  form.establish(form);
  for (int i = 0; i < 3; ++i)
    REQUIRE(form.publish(1) == PublishStatus::Queued);
  form.flush();
  form.await_publishes(3);
  form.reports.then = [&](const std::string&) {
    form.drop();
    form.loop->retire(std::move(form.transport));
  };
  form.acknowledge_and_disconnect(form.ids, 0x8B);
  form.wait_for(1);
  CHECK(form.reports.all == Texts{"acknowledged 1"});
}

CONFORMANCE_CASE(
    "an end that a flush from within a report finds comes after what was acknowledged") {
  TestType form;
  form.establish(form);
  for (int i = 0; i < 2; ++i)
    REQUIRE(form.publish(1) == PublishStatus::Queued);
  form.flush();
  form.await_publishes(2);
  form.reports.then = [&](const std::string& what) {
    if (what == "acknowledged 1") break_in_flush(form);
  };
  form.acknowledge({form.ids[0], form.ids[1]});
  form.wait_for(3);
  CHECK(form.reports.all == Texts{"acknowledged 1", "acknowledged 2", "lost"});
}

CONFORMANCE_CASE("a disconnect from within the last acknowledgement is reported later") {
  TestType form;
  form.establish(form);
  REQUIRE(form.publish(1) == PublishStatus::Queued);
  form.flush();
  form.await_publishes(1);
  form.reports.then = [&](const std::string& what) {
    if (what == "acknowledged 1") form.disconnect();
  };
  form.acknowledge(form.ids);
  form.wait_for(1);
  CHECK(form.reports.count("acknowledged 1") == 1);
  form.close_after_disconnect();
  form.wait_for(2);
  CHECK(form.reports.all == Texts{"acknowledged 1", "lost"});
  CHECK(form.reports.last_loss.kind == Loss::Kind::Closed);
}

CONFORMANCE_CASE("from within the report of the end the transport may be dropped and retired") {
  TestType form;
  form.establish(form);
  form.reports.then = [&](const std::string&) {
    form.drop();
    form.loop->retire(std::move(form.transport));
  };
  form.close_by_broker();
  form.wait_for(1);
  CHECK(form.reports.all == Texts{"lost"});
  CHECK(form.transport == nullptr);
}
