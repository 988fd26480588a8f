#include "mqtt/transport/packet_states.h"

#include <cassert>
#include <utility>

namespace sluice::mqtt {
namespace {

constexpr std::size_t kIdentifiers = 65535;

}  // namespace

bool PacketStates::is_free(std::size_t id) const noexcept {
  const Page* page = pages_[id / kPageSize].get();
  return id != 0 && (page == nullptr || page->states[id % kPageSize] == Awaits::Nothing);
}

std::size_t PacketStates::step_from(std::size_t id) const noexcept {
  const Page* page = pages_[id / kPageSize].get();
  const bool is_full = page != nullptr && page->used == kPageSize;
  return (is_full ? (id / kPageSize + 1) * kPageSize : id + 1) % (kIdentifiers + 1);
}

std::uint16_t PacketStates::take(Awaits first) noexcept {
  assert(first != Awaits::Nothing);
  if (used_ == kIdentifiers) return 0;
  std::size_t id = next_;
  while (!is_free(id))
    id = step_from(id);
  next_ = (id + 1) % (kIdentifiers + 1);
  keep_if_empty(std::exchange(current_, id / kPageSize));
  std::unique_ptr<Page>& page = pages_[id / kPageSize];
  if (page == nullptr) page = spare_ != nullptr ? std::move(spare_) : std::make_unique<Page>();
  page->states[id % kPageSize] = first;
  ++page->used;
  ++used_;
  return static_cast<std::uint16_t>(id);
}

Awaits PacketStates::of(std::uint16_t id) const noexcept {
  const Page* page = pages_[id / kPageSize].get();
  return page == nullptr ? Awaits::Nothing : page->states[id % kPageSize];
}

void PacketStates::set(std::uint16_t id, Awaits next) noexcept {
  assert(of(id) != Awaits::Nothing);
  Page& page = *pages_[id / kPageSize];
  page.states[id % kPageSize] = next;
  if (next != Awaits::Nothing) return;
  --used_;
  --page.used;
  keep_if_empty(id / kPageSize);
}

void PacketStates::keep_if_empty(std::size_t page) noexcept {
  const bool is_empty = pages_[page] != nullptr && pages_[page]->used == 0;
  if (is_empty && page != current_) spare_ = std::move(pages_[page]);
}

}  // namespace sluice::mqtt
