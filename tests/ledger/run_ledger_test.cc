// Every kind of breach is found, and allowed behaviour is not: a check that cannot fail would prove
// nothing.
#include "run_ledger.h"

#include "catch.h"
#include "load_client.h"

namespace {

using namespace sluice::ledger_run;

constexpr Nanoseconds kStart = 1000 * kSecond;
constexpr Nanoseconds kTimeout = 4 * kSecond;
constexpr Answer kOk{AnswerKind::Ok, Published::None};
constexpr Answer kTimedOut{AnswerKind::Timeout, Published::Unknown};
constexpr Answer kUnavailable{AnswerKind::Unavailable, Published::No};
constexpr Answer kRejected{AnswerKind::Rejected, Published::No};
constexpr Answer kRejectedUnknown{AnswerKind::Rejected, Published::Unknown};

/// A ledger with one device; times are milliseconds after the start.
struct Book {
  RunLedger ledger{Limits{}, kStart};
  std::uint32_t device = ledger.add_device(1, kTimeout);

  void send(std::int64_t ms = 0) { ledger.on_sent(device, at(ms)); }
  void answer(std::uint64_t number, Answer answer, std::int64_t ms, std::int64_t own_ms = 0) {
    ledger.on_answered(device, number, answer, at(ms), own_ms * kMillisecond);
  }
  /// On connection `serial`, made `connected_ms` after the start.
  void arrive(std::uint64_t number, std::uint32_t serial, Fate fate = Fate::Recorded,
              std::int64_t connected_ms = 0) {
    ledger.on_arrived(device, number, {serial, at(connected_ms)}, fate, at(1));
  }
  std::uint64_t found(Breach kind) const { return ledger.violations().count(kind); }
  /// Exactly one breach, of this kind.
  bool found_only(Breach kind) const {
    return found(kind) == 1 && ledger.violations().total() == 1;
  }
  bool is_clean() const { return ledger.violations().total() == 0; }

  static Nanoseconds at(std::int64_t ms) { return kStart + ms * kMillisecond; }
};

}  // namespace

TEST_CASE("a message that is sent, recorded and answered breaks nothing") {
  Book book;
  book.send();
  book.arrive(0, 1);
  book.answer(0, kOk, 5);
  book.ledger.finish(Book::at(10));
  CHECK(book.is_clean());
  CHECK(book.ledger.figures().ok == 1);
  CHECK(book.ledger.unanswered() == 0);
}

TEST_CASE("a missing reply and a second one are found") {
  Book book;
  book.send();
  SECTION("none") {
    book.ledger.finish(Book::at(10));
    CHECK(book.found_only(Breach::NoReply));
  }
  SECTION("two") {
    book.arrive(0, 1);
    book.answer(0, kOk, 5);
    book.answer(0, kOk, 6);
    CHECK(book.found_only(Breach::TwoReplies));
  }
  SECTION("to nothing") {
    book.answer(7, kOk, 5);
    CHECK(book.found_only(Breach::TwoReplies));
  }
}

TEST_CASE("code 1 without a record is found, also where the broker only refused it") {
  Book book;
  book.send();
  SECTION("it never came") {}
  SECTION("it was refused") {
    book.arrive(0, 1, Fate::Refused);
  }
  SECTION("a broker that is dead but for its sockets read it") {
    book.arrive(0, 1, Fate::Ignored);
  }
  book.answer(0, kOk, 5);
  CHECK(book.found_only(Breach::OkNotRecorded));
}

TEST_CASE("code 1 for QoS 2 without a PUBREL is found") {
  Book book;
  const std::uint32_t device = book.ledger.add_device(2, kTimeout);
  book.ledger.on_sent(device, Book::at(0));
  book.ledger.on_arrived(device, 0, {1, Book::at(0)}, Fate::Recorded, Book::at(1));
  const bool is_released = GENERATE(false, true);
  if (is_released) book.ledger.on_released(device, 0);
  book.ledger.on_answered(device, 0, kOk, Book::at(5), 0);
  CHECK(book.is_clean() == is_released);
  CHECK(book.found_only(Breach::OkTooEarly) != is_released);
}

TEST_CASE("`published: no` is broken by an arrival before the reply and after it") {
  Book book;
  book.send();
  SECTION("before") {
    book.arrive(0, 1);
    book.answer(0, kUnavailable, 4000);
  }
  SECTION("after") {
    book.answer(0, kUnavailable, 4000);
    book.arrive(0, 1);
  }
  CHECK(book.found_only(Breach::NoButSent));
}

TEST_CASE("a refused message may be answered `no` only if no copy of it was recorded") {
  Book book;
  book.send();
  book.arrive(0, 1, Fate::Refused);
  SECTION("none was") {
    book.answer(0, kRejected, 5);
    CHECK(book.is_clean());
    CHECK(book.ledger.figures().refused_as_ordered == 1);
  }
  SECTION("one was") {
    book.arrive(0, 2);
    book.answer(0, kRejected, 5);
    CHECK(book.found_only(Breach::NoButSent));
  }
  SECTION("one was, and the reply says so") {
    book.arrive(0, 2);
    book.answer(0, kRejectedUnknown, 5);
    CHECK(book.is_clean());
  }
}

TEST_CASE("only what the broker refused or hung up on may be rejected") {
  Book book;
  book.send();
  SECTION("an innocent one") {
    book.arrive(0, 1);
    book.answer(0, kRejectedUnknown, 5);
    CHECK(book.found_only(Breach::RejectedNotRefused));
  }
  SECTION("the poisonous one") {
    book.arrive(0, 1, Fate::Dropped);
    book.arrive(0, 2, Fate::Dropped);
    book.answer(0, kRejectedUnknown, 5);
    CHECK(book.is_clean());
    CHECK(book.ledger.figures().poison_rejected == 1);
  }
}

TEST_CASE("behind a poison message its device's other ones may be rejected unsent, for a minute") {
  Book book;
  book.send();
  book.send();
  book.arrive(0, 1, Fate::Dropped);
  SECTION("not before it was found") {
    book.answer(1, kRejected, 5);
    CHECK(book.found_only(Breach::RejectedNotRefused));
  }
  SECTION("once it was") {
    book.answer(0, kRejectedUnknown, 5);
    SECTION("within the minute") {
      book.answer(1, kRejected, 60'000);
      CHECK(book.found(Breach::RejectedNotRefused) == 0);
      CHECK(book.ledger.figures().behind_poison == 1);
    }
    SECTION("not after it") {
      book.answer(1, kRejected, 66'100);
      CHECK(book.found(Breach::RejectedNotRefused) == 1);
    }
    SECTION("not where the reply says that it may be published") {
      book.answer(1, kRejectedUnknown, 5);
      CHECK(book.found_only(Breach::RejectedNotRefused));
    }
  }
}

TEST_CASE("a reply that the table does not know is found") {
  Book book;
  book.send();
  book.answer(
      0,
      GENERATE(Answer{AnswerKind::Other, Published::No}, Answer{AnswerKind::Timeout, Published::No},
               Answer{AnswerKind::Unavailable, Published::Unknown},
               Answer{AnswerKind::Timeout, Published::None}),
      4000);
  CHECK(book.found_only(Breach::BadReply));
}

TEST_CASE("a run that is repeated is lawful: 1 2 3 1 2 3 4") {
  Book book;
  for (int i = 0; i < 4; ++i)
    book.send();
  for (const std::uint64_t number : {0U, 1U, 2U})
    book.arrive(number, 1);
  for (const std::uint64_t number : {0U, 1U, 2U, 3U})
    book.arrive(number, 2);
  for (const std::uint64_t number : {0U, 1U, 2U, 3U})
    book.answer(number, kOk, 5);
  book.ledger.finish(Book::at(10));
  CHECK(book.is_clean());
  CHECK(book.ledger.figures().duplicates == 3);
}

TEST_CASE("the first arrival of an old message behind a newer one is found") {
  Book book;
  book.send();
  book.send();
  book.arrive(1, 1);
  book.arrive(0, 2);
  CHECK(book.found_only(Breach::FirstOutOfOrder));
}

TEST_CASE("what a dead broker reads has no order") {
  Book book;
  book.send();
  book.send();
  book.arrive(1, 2);
  book.answer(1, kOk, 5);
  book.arrive(0, 1, Fate::Ignored);
  CHECK(book.is_clean());
  book.arrive(0, 3);
  CHECK(book.found(Breach::FirstOutOfOrder) == 1);
}

TEST_CASE("a repeat behind a newer message on the same connection is found") {
  Book book;
  book.send();
  book.send();
  book.arrive(0, 1);
  book.arrive(1, 1);
  book.arrive(1, 2);
  book.arrive(0, 2);
  CHECK(book.found_only(Breach::OutOfOrder));
}

TEST_CASE("a repeat behind a newer message that was acknowledged is found, and what it leaves") {
  Book book;
  book.send();
  book.send();
  book.arrive(0, 1);
  book.arrive(1, 1);
  SECTION("by sluice") {
    book.answer(1, kOk, 5);
    book.arrive(0, 2);
    CHECK(book.found_only(Breach::OldAfterNew));
    book.answer(0, kOk, 6);
    book.ledger.finish(Book::at(10));
    CHECK(book.found(Breach::LastNotNewest) == 1);
  }
  SECTION("because the broker lost its acknowledgement") {
    book.ledger.on_acknowledgement_lost(book.device, 0);
    book.answer(1, kOk, 5);
    book.arrive(0, 2);
    book.answer(0, kOk, 6);
    book.ledger.finish(Book::at(10));
    CHECK(book.is_clean());
  }
  SECTION("because the newer one had reached its deadline") {
    book.answer(1, kTimedOut, 4000);
    book.arrive(0, 2);
    book.answer(0, kTimedOut, 4000);
    book.ledger.finish(Book::at(10));
    CHECK(book.is_clean());
    CHECK(book.ledger.figures().stale_ends == 1);
  }
}

TEST_CASE("giving up before the deadline is found, 2 ms of the clocks allowed") {
  Book book;
  book.send();
  const Answer given_up = GENERATE(kTimedOut, kUnavailable);
  SECTION("early") {
    book.answer(0, given_up, 3997);
    CHECK(book.found_only(Breach::EarlyReply));
  }
  SECTION("in time") {
    book.answer(0, given_up, 3999);
    CHECK(book.is_clean());
  }
}

TEST_CASE("a reply 250 ms after the deadline is late, what the driver was late itself taken off") {
  Book book;
  book.send();
  SECTION("late") {
    book.answer(0, kTimedOut, 4251);
    CHECK(book.found_only(Breach::LateReply));
  }
  SECTION("not later than that") {
    book.answer(0, kTimedOut, 4250);
    CHECK(book.is_clean());
  }
  SECTION("the driver's fault") {
    book.answer(0, kTimedOut, 4300, 60);
    CHECK(book.is_clean());
    CHECK(book.ledger.figures().worst_late == 240 * kMillisecond);
  }
}

TEST_CASE("what is sent after its reply is found by the connection it came on") {
  Book book;
  book.send();
  book.arrive(0, 1);
  book.answer(0, GENERATE(kTimedOut, kOk), 4000);
  SECTION("the connection is older than the reply: it lay in a socket") {
    book.arrive(0, 2, Fate::Recorded, 3999);
    CHECK(book.is_clean());
  }
  SECTION("the connection was made afterwards") {
    book.arrive(0, 2, Fate::Recorded, 4001);
    CHECK(book.found_only(Breach::SentAfterReply));
  }
}

TEST_CASE("a message twice on one connection is found") {
  Book book;
  book.send();
  book.arrive(0, 1);
  book.arrive(0, 1);
  CHECK(book.found_only(Breach::TwiceOnConnection));
}

TEST_CASE("a message that nobody sent is found") {
  Book book;
  book.arrive(3, 1);
  CHECK(book.found_only(Breach::Protocol));
}

TEST_CASE("refusals count as needless where the calm before them was long enough to send") {
  Book book;
  for (int i = 0; i < 1000; ++i)
    book.send();
  for (std::uint64_t i = 1; i < 1000; ++i) {
    book.arrive(i, 1);
    book.answer(i, kOk, 5);
  }
  SECTION("calm that is over, long enough") {
    book.ledger.on_calm(Book::at(1000));
    book.ledger.on_trouble(Book::at(2500));
  }
  SECTION("calm that lasts, long enough") {
    book.ledger.on_calm(Book::at(2500));
  }
  SECTION("twice, too short") {
    book.ledger.on_calm(Book::at(0));
    book.ledger.on_trouble(Book::at(1400));
    book.ledger.on_calm(Book::at(1500));
    book.ledger.on_trouble(Book::at(2900));
    book.answer(0, kUnavailable, 4000);
    book.ledger.finish(Book::at(5000));
    CHECK(book.is_clean());
    return;
  }
  SECTION("long, but mostly before it was sent") {
    book.send(3000);
    book.arrive(1000, 1);
    book.answer(1000, kUnavailable, 7000);
    book.answer(0, kTimedOut, 4000);
    CHECK(book.ledger.figures().needless == 0);
    return;
  }
  book.answer(0, kUnavailable, 4000);
  CHECK(book.ledger.figures().needless == 1);
  book.ledger.finish(Book::at(5000));
  CHECK(book.found_only(Breach::NeedlessRefusals));
}

TEST_CASE("ten cases of a kind are told, all are counted") {
  Book book;
  for (int i = 0; i < 25; ++i)
    book.answer(99, kOk, 5);
  CHECK(book.found(Breach::TwoReplies) == 25);
  CHECK(book.ledger.violations().lines(Breach::TwoReplies).size() == Violations::kMostDescribed);
}

TEST_CASE("a reply is read as the contract writes it") {
  const auto reads = [](std::string_view line, AnswerKind outcome, Published published) {
    const Answer answer = parse_answer(line);
    return answer.outcome == outcome && answer.published == published;
  };
  CHECK(reads(R"({"code":1,"msg":"x","id":5})", AnswerKind::Ok, Published::None));
  CHECK(reads(R"({"code":2,"msg":"x","error":"timeout","published":"unknown","detail":""})",
              AnswerKind::Timeout, Published::Unknown));
  CHECK(reads(R"({"code":2,"msg":"x","error":"broker_unavailable","published":"no"})",
              AnswerKind::Unavailable, Published::No));
  CHECK(reads(R"({"code":2,"msg":"x","error":"rejected","published":"no","reason_code":151})",
              AnswerKind::Rejected, Published::No));
  CHECK(reads(R"({"code":2,"msg":"x","error":"bad_request","published":"no"})", AnswerKind::Other,
              Published::No));
}
