// One link of a pool, with what the pool keeps beside it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/list.h"
#include "mqtt/link/link.h"
#include "mqtt/pool/waiters.h"

namespace sluice::mqtt {

struct Slot;

/// Ready links by the room they have; kept by ReadyLinks.
struct ByRoom {};
/// Slots that the next turn has to look at.
struct Due {};
/// Slots whose connection is one under former settings.
struct Outdated {};
/// Slots whose connection is being replaced and is not up again.
struct Renewing {};
/// Slots with reserved room in their backlog.
struct Reserved {};

/// Stays where it is: lists point into it.
struct Slot : ListNode<ByRoom>,
              ListNode<Due>,
              ListNode<Outdated>,
              ListNode<Renewing>,
              ListNode<Reserved> {
  explicit Slot(std::unique_ptr<Link> of) noexcept : link(std::move(of)) {}

  std::unique_ptr<Link> link;
  WaitList waiters = {};                 // for room in the link's backlog
  List<Slot, ByRoom>* listed = nullptr;  // the list in which ReadyLinks has it
  bool was_ready = false;
  unsigned short_lives = 0;  // connections in a row that the broker ended soon, without a reason
  std::string key = {};      // the connection key of its latest attempt
};

}  // namespace sluice::mqtt
