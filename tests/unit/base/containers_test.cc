// List, DeadlineQueue, DeadlineLists and Watermark: the queues everything waits in.
#include <array>
#include <vector>

#include "base/deadline_lists.h"
#include "base/deadline_queue.h"
#include "base/list.h"
#include "base/watermark.h"
#include "catch.h"

namespace sluice {
namespace {

struct OtherTag;

struct Item : ListNode<>, ListNode<OtherTag>, DeadlineEntry {
  int number = 0;
};

template <class Tag>
std::vector<int> numbers(List<Item, Tag>& list) {
  std::vector<int> found;
  if (list.empty()) return found;
  for (Item* item = &list.front(); item != nullptr; item = list.next(*item))
    found.push_back(item->number);
  return found;
}

TimePoint at(int milliseconds) {
  return TimePoint(Duration(milliseconds));
}

struct Waiting : DeadlineMember<Waiting> {
  int number = 0;
};

/// Items numbered from 0.
struct Five : std::array<Item, 5> {
  Five() {
    for (std::size_t i = 0; i < size(); ++i)
      (*this)[i].number = static_cast<int>(i);
  }
};

/// The two that order by deadline.
struct Queue {
  using Element = Item;
  using Type = DeadlineQueue<Item>;
};
struct Lists {
  using Element = Waiting;
  using Type = DeadlineLists<Waiting>;
};

}  // namespace

TEST_CASE("a list keeps the order in which its elements joined", "[list]") {
  Five items;
  List<Item> list;
  CHECK(list.empty());
  list.push_back(items[1]);
  list.push_back(items[3]);
  list.push_front(items[0]);
  list.insert_before(items[2], items[3]);
  CHECK(numbers(list) == std::vector<int>{0, 1, 2, 3});
  CHECK(list.size() == 4);
  CHECK(list.pop_front().number == 0);
  list.remove(items[2]);
  CHECK(numbers(list) == std::vector<int>{1, 3});
  CHECK(list.next(items[3]) == nullptr);
  list.remove(items[3]);
  list.remove(items[1]);
  CHECK(list.empty());
  CHECK(list.size() == 0);
}

TEST_CASE("an element that left a list can join another one", "[list]") {
  Item item;
  List<Item> first;
  List<Item> second;
  first.push_back(item);
  CHECK(static_cast<ListNode<>&>(item).is_linked());
  first.remove(item);
  CHECK_FALSE(static_cast<ListNode<>&>(item).is_linked());
  second.push_back(item);
  CHECK(first.empty());
  CHECK(&second.pop_front() == &item);
}

TEST_CASE("an element may be in one list of each tag at once", "[list]") {
  Five items;
  List<Item> plain;
  List<Item, OtherTag> other;
  plain.push_back(items[0]);
  plain.push_back(items[1]);
  other.push_back(items[1]);
  other.push_back(items[0]);
  CHECK(numbers(plain) == std::vector<int>{0, 1});
  CHECK(numbers(other) == std::vector<int>{1, 0});
  plain.remove(items[0]);
  CHECK(other.size() == 2);
  plain.remove(items[1]);
  other.remove(items[0]);
  other.remove(items[1]);
}

TEST_CASE("an overdue element is found once, and stays until it is taken out", "[deadlines]") {
  std::array<Waiting, 3> items;
  DeadlineLists<Waiting> lists;
  for (int i = 0; i < 3; ++i) {
    items[static_cast<std::size_t>(i)].number = i;
    lists.insert(items[static_cast<std::size_t>(i)], at(10 * i));
  }
  CHECK(lists.note_overdue(at(10)) == &items[0]);
  CHECK(lists.note_overdue(at(10)) == &items[1]);
  CHECK(lists.note_overdue(at(10)) == nullptr);
  CHECK(lists.earliest() == at(20));
  lists.remove(items[0]);
  CHECK_FALSE(items[0].is_waiting());
  CHECK(lists.pop_due(at(10)) == &items[1]);
  CHECK(lists.pop_due(at(10)) == nullptr);
  CHECK(lists.note_overdue(at(20)) == &items[2]);
  CHECK(lists.earliest() == TimePoint::max());
  CHECK_FALSE(lists.empty());
  lists.remove(items[2]);
  CHECK(lists.empty());
}

TEMPLATE_TEST_CASE("deadlines come out in their order, and only when due", "[deadlines]", Queue,
                   Lists) {
  std::array<typename TestType::Element, 5> items;
  for (std::size_t i = 0; i < items.size(); ++i)
    items[i].number = static_cast<int>(i);
  typename TestType::Type queue;
  CHECK(queue.pop_due(at(1000)) == nullptr);
  for (const int index : {3, 0, 4, 1, 2})
    queue.insert(items[static_cast<std::size_t>(index)], at(10 * index));
  CHECK(queue.earliest() == at(0));
  CHECK(queue.pop_due(at(25))->number == 0);
  CHECK(queue.pop_due(at(25))->number == 1);
  CHECK(queue.pop_due(at(25))->number == 2);
  CHECK(queue.pop_due(at(25)) == nullptr);
  CHECK_FALSE(items[2].is_waiting());
  CHECK(items[3].is_waiting());
  CHECK(queue.pop_due(at(30))->number == 3);
  CHECK(queue.pop_due(at(100))->number == 4);
  CHECK(queue.empty());
}

TEMPLATE_TEST_CASE("equal deadlines come out in the order in which they were inserted",
                   "[deadlines]", Queue, Lists) {
  constexpr std::size_t kCount = 100;
  std::vector<typename TestType::Element> items(kCount);
  typename TestType::Type queue;
  for (std::size_t i = 0; i < kCount; ++i) {
    items[i].number = static_cast<int>(i);
    queue.insert(items[i], at(static_cast<int>(i % 3)));
  }
  // Inserted anew: behind its equals.
  queue.remove(items[6]);
  queue.insert(items[6], at(0));
  std::vector<int> seen;
  while (const auto* next = queue.pop_due(at(2)))
    seen.push_back(next->number);
  std::vector<int> expected;
  for (int deadline = 0; deadline < 3; ++deadline) {
    for (int number = deadline; number < static_cast<int>(kCount); number += 3)
      if (number != 6) expected.push_back(number);
    if (deadline == 0) expected.push_back(6);
  }
  CHECK(seen == expected);
}

TEMPLATE_TEST_CASE("a deadline can be taken out from any place", "[deadlines]", Queue, Lists) {
  // Every one of a few hundred, in an order that has nothing to do with that of the deadlines.
  constexpr std::size_t kCount = 300;
  std::vector<typename TestType::Element> items(kCount);
  for (std::size_t gone = 0; gone < kCount; gone += 7) {
    typename TestType::Type queue;
    for (std::size_t i = 0; i < kCount; ++i) {
      items[i].number = static_cast<int>((i * 101) % kCount);
      queue.insert(items[i], at(items[i].number));
    }
    std::size_t left = kCount;
    for (std::size_t i = gone; i < kCount; i += 3, --left)
      queue.remove(items[i]);
    int last = -1;
    while (const auto* next = queue.pop_due(at(kCount))) {
      CHECK(next->number > last);
      last = next->number;
      --left;
    }
    CHECK(left == 0);
  }
}

TEST_CASE("a queue at its limit has no room and gets it back below three quarters", "[watermark]") {
  Watermark queue(4, 1000);
  for (int i = 0; i < 4; ++i) {
    CHECK(queue.has_room_for(100));
    queue.add(100);
  }
  CHECK_FALSE(queue.has_room_for(0));
  CHECK_FALSE(queue.is_below_low());
  queue.remove(100);
  CHECK(queue.has_room_for(100));
  CHECK_FALSE(queue.is_below_low());
  queue.remove(100);
  CHECK(queue.is_below_low());
  CHECK(queue.items() == 2);
  CHECK(queue.bytes() == 200);
}

TEST_CASE("bytes fill a queue as messages do", "[watermark]") {
  Watermark queue(100, 1000);
  queue.add(600);
  CHECK(queue.has_room_for(400));
  CHECK_FALSE(queue.has_room_for(401));
  queue.add(400);
  CHECK_FALSE(queue.has_room_for(1));
  CHECK_FALSE(queue.is_below_low());
  queue.remove(600);
  CHECK(queue.is_below_low());
}

TEST_CASE("an empty queue takes one of any size", "[watermark]") {
  Watermark queue(2, 1000);
  CHECK(queue.has_room_for(5000));
  queue.add(5000);
  CHECK_FALSE(queue.has_room_for(0 + 1));
  queue.remove(5000);
  CHECK(queue.is_below_low());
  Watermark none(0, 0);
  CHECK(none.has_room_for(1));
  CHECK(none.is_below_low());
}

TEST_CASE("a lowered limit counts for what is in the queue", "[watermark]") {
  Watermark queue(10, 1000);
  queue.add(500);
  queue.set_limits(10, 400);
  CHECK_FALSE(queue.has_room_for(1));
  CHECK_FALSE(queue.is_below_low());
  queue.set_limits(10, 2000);
  CHECK(queue.has_room_for(1));
}

TEST_CASE("reserved room counts as taken until it is released", "[watermark]") {
  Watermark queue(8, 1000);
  queue.add(100);
  CHECK(queue.room_for(100, 100) == 7);
  CHECK(queue.room_for(2, 100) == 2);
  CHECK(queue.room_for(100, 300) == 3);
  queue.reserve(5, 500);
  CHECK(queue.room_for(100, 100) == 2);
  CHECK(queue.has_room_for(400));
  CHECK_FALSE(queue.has_room_for(401));
  CHECK_FALSE(queue.is_below_low());
  queue.release_one();
  CHECK(queue.has_room_for(500));
  queue.release(2, 200);
  CHECK(queue.reserved() == 2);
  CHECK(queue.is_below_low());
  queue.release_all();
  CHECK(queue.has_room_for(900));
  CHECK(queue.items() == 1);
}

TEST_CASE("an empty queue with reserved room is not empty for others", "[watermark]") {
  Watermark queue(2, 1000);
  queue.reserve(1, 100);
  CHECK_FALSE(queue.has_room_for(5000));
  queue.release_one();
  CHECK(queue.has_room_for(5000));
}

}  // namespace sluice
