// A binary heap of deadlines, earliest first. Removing any element takes O(log n) and no search,
// because each knows its place.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace sluice {

/// What an element inherits to be in at most one DeadlineQueue.
class DeadlineEntry {
 public:
  TimePoint deadline() const noexcept { return deadline_; }
  bool is_waiting() const noexcept { return place_ != kNowhere; }

 private:
  template <class T>
  friend class DeadlineQueue;
  static constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();
  TimePoint deadline_{};
  std::uint32_t place_ = kNowhere;
  std::uint32_t number_ = 0;  // of its insertion; wraps
};

/// Orders elements it does not own by their deadline, and equal deadlines as they were inserted.
template <class T>
class DeadlineQueue {
 public:
  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }
  TimePoint earliest() const noexcept { return entry(0).deadline_; }
  T& front() const noexcept { return *heap_[0]; }

  /// insert() allocates nothing while at most `count` elements wait.
  void make_room_for(std::size_t count) {
    if (count > heap_.capacity()) heap_.reserve(std::max(count, 2 * heap_.capacity()));
  }

  void insert(T& element, TimePoint deadline) {
    DeadlineEntry& added = element;
    assert(!added.is_waiting() && heap_.size() < DeadlineEntry::kNowhere);
    added.deadline_ = deadline;
    added.number_ = next_number_++;
    heap_.push_back(&element);
    rise(heap_.size() - 1);
  }

  void remove(T& element) noexcept {
    DeadlineEntry& gone = element;
    assert(gone.is_waiting());
    const std::size_t hole = std::exchange(gone.place_, DeadlineEntry::kNowhere);
    T* last = heap_.back();
    heap_.pop_back();
    if (hole == heap_.size()) return;
    put(hole, last);
    if (hole > 0 && is_earlier(hole, (hole - 1) / 2)) {
      rise(hole);
    } else {
      sink(hole);
    }
  }

  /// Takes out the earliest element if its deadline has come, else returns null.
  T* pop_due(TimePoint now) noexcept {
    if (heap_.empty() || earliest() > now) return nullptr;
    T* due = heap_.front();
    remove(*due);
    return due;
  }

 private:
  DeadlineEntry& entry(std::size_t place) const noexcept { return *heap_[place]; }
  bool is_earlier(std::size_t a, std::size_t b) const noexcept {
    const DeadlineEntry& one = entry(a);
    const DeadlineEntry& other = entry(b);
    if (one.deadline_ != other.deadline_) return one.deadline_ < other.deadline_;
    return static_cast<std::int32_t>(one.number_ - other.number_) < 0;
  }
  void put(std::size_t place, T* element) noexcept {
    heap_[place] = element;
    entry(place).place_ = static_cast<std::uint32_t>(place);
  }
  void swap(std::size_t a, std::size_t b) noexcept {
    T* former = heap_[a];
    put(a, heap_[b]);
    put(b, former);
  }
  void rise(std::size_t place) noexcept {
    put(place, heap_[place]);
    while (place > 0 && is_earlier(place, (place - 1) / 2)) {
      swap(place, (place - 1) / 2);
      place = (place - 1) / 2;
    }
  }
  void sink(std::size_t place) noexcept {
    for (;;) {
      std::size_t child = 2 * place + 1;
      if (child >= heap_.size()) return;
      if (child + 1 < heap_.size() && is_earlier(child + 1, child)) ++child;
      if (!is_earlier(child, place)) return;
      swap(place, child);
      place = child;
    }
  }

  std::vector<T*> heap_;
  std::uint32_t next_number_ = 0;
};

}  // namespace sluice
