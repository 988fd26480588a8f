// Everything that waits until a moment, in one binary heap: earliest first, leaving early in
// O(log n) without a search because each entry knows its place.
#pragma once

#include <cassert>
#include <cstddef>
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
  static constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
  TimePoint deadline_{};
  std::size_t place_ = kNowhere;
};

/// Orders elements it does not own by their deadline. Equal deadlines come out in any order.
template <class T>
class DeadlineQueue {
 public:
  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }
  TimePoint earliest() const noexcept { return entry(0).deadline_; }

  void insert(T& element, TimePoint deadline) {
    DeadlineEntry& added = element;
    assert(!added.is_waiting());
    added.deadline_ = deadline;
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
    return entry(a).deadline_ < entry(b).deadline_;
  }
  void put(std::size_t place, T* element) noexcept {
    heap_[place] = element;
    entry(place).place_ = place;
  }
  void swap(std::size_t a, std::size_t b) noexcept {
    T* former = heap_[a];
    put(a, heap_[b]);
    put(b, former);
  }
  void rise(std::size_t place) noexcept {
    entry(place).place_ = place;
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
};

}  // namespace sluice
