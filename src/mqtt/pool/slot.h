// One link of a pool, with what the pool keeps beside it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/list.h"
#include "base/watermark.h"
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

/// Stays where it is: lists point into it.
struct Slot : ListNode<ByRoom>, ListNode<Due>, ListNode<Outdated>, ListNode<Renewing> {
  Slot(std::unique_ptr<Link> of, Watermark limits) noexcept : link(std::move(of)), line(limits) {}

  std::unique_ptr<Link> link;
  Watermark line;         // the link's line: at most half of the queue's limits if there are others
  WaitList waiters = {};  // for room in that line
  List<Slot, ByRoom>* listed = nullptr;  // the list in which ReadyLinks has it
  bool was_ready = false;
  unsigned short_lives = 0;  // connections in a row that the broker ended soon, without a reason
  std::string key = {};      // the connection key of its latest attempt
};

}  // namespace sluice::mqtt
