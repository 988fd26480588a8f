// Everything that waits until a moment, where very many wait for few moments: a list for each. To
// join the latest list, or to leave one, is a step in that list; another list is looked up in a map
// that holds as many as there are moments, and the last to leave one removes it.
#pragma once

#include <cassert>
#include <map>
#include <memory_resource>

#include "base/clock.h"
#include "base/list.h"

namespace sluice {

struct OfDeadline {};

/// What an element of type T inherits to be in at most one DeadlineLists<T>.
template <class T>
class DeadlineMember : public ListNode<OfDeadline> {
 public:
  bool is_waiting() const noexcept { return is_linked(); }

 private:
  template <class U>
  friend class DeadlineLists;
  TimePoint deadline_{};
  List<T, OfDeadline>* list_ = nullptr;
};

/// Orders elements it does not own by their deadline, and equal deadlines as they were inserted.
/// For other loads there is DeadlineQueue, which takes no memory for each deadline.
template <class T>
class DeadlineLists {
 public:
  bool empty() const noexcept { return lists_.empty() && overdue_.empty(); }
  /// Of those that are not overdue; TimePoint::max() without any.
  TimePoint earliest() const noexcept {
    return lists_.empty() ? TimePoint::max() : lists_.begin()->first;
  }

  void insert(T& element, TimePoint deadline) {
    DeadlineMember<T>& added = element;
    assert(!added.is_waiting());
    if (latest_ == lists_.end() || latest_->first != deadline) {
      latest_ = lists_.try_emplace(deadline).first;
    }
    added.deadline_ = deadline;
    added.list_ = &latest_->second;
    latest_->second.push_back(element);
  }

  void remove(T& element) noexcept {
    DeadlineMember<T>& gone = element;
    assert(gone.is_waiting());
    gone.list_->remove(element);
    if (!gone.list_->empty() || gone.list_ == &overdue_) return;
    if (latest_ != lists_.end() && latest_->first == gone.deadline_) latest_ = lists_.end();
    lists_.erase(gone.deadline_);
  }

  /// Takes out the earliest element if its deadline has come, else returns null.
  T* pop_due(TimePoint now) noexcept {
    if (!overdue_.empty()) return &overdue_.pop_front();
    if (lists_.empty() || earliest() > now) return nullptr;
    T& due = lists_.begin()->second.front();
    remove(due);
    return &due;
  }

  /// The earliest element, if its deadline has come: it stays, as overdue, and is not returned here
  /// again. Null: no other is due.
  T* note_overdue(TimePoint now) noexcept {
    if (lists_.empty() || earliest() > now) return nullptr;
    T& due = lists_.begin()->second.front();
    remove(due);
    static_cast<DeadlineMember<T>&>(due).list_ = &overdue_;
    overdue_.push_back(due);
    return &due;
  }

 private:
  using Lists = std::pmr::map<TimePoint, List<T, OfDeadline>>;

  List<T, OfDeadline> overdue_;
  std::pmr::unsynchronized_pool_resource memory_;
  Lists lists_{&memory_};
  typename Lists::iterator latest_ = lists_.end();  // where the last one was inserted, if it lives
};

}  // namespace sluice
