// The message of each packet identifier in flight, in pages allocated on first use.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace sluice::mqtt {

struct Delivery;

/// Constant time for each call, whatever is in flight. Identifiers are handed out in turn, so a
/// page serves 256 of them. One empty page is kept for reuse; others are freed.
class PacketIds {
 public:
  static constexpr std::size_t kPageSize = 256;

  bool contains(std::uint16_t id) const noexcept {
    const Page* page = page_of(id).get();
    return page != nullptr && page->messages[id % kPageSize] != nullptr;
  }

  /// `id` must not be in the table.
  void insert(std::uint16_t id, Delivery& delivery) {
    std::unique_ptr<Page>& page = page_of(id);
    if (page == nullptr) page = spare_ != nullptr ? std::move(spare_) : std::make_unique<Page>();
    assert(page->messages[id % kPageSize] == nullptr);
    page->messages[id % kPageSize] = &delivery;
    ++page->used;
  }

  /// Removes the message; null: the identifier is not in flight.
  Delivery* take(std::uint16_t id) noexcept {
    std::unique_ptr<Page>& page = page_of(id);
    if (page == nullptr) return nullptr;
    Delivery* taken = std::exchange(page->messages[id % kPageSize], nullptr);
    if (taken != nullptr && --page->used == 0) spare_ = std::move(page);
    return taken;
  }

  /// The number of pages, the kept one included. Walks all of them: for tests.
  std::size_t pages() const noexcept {
    std::size_t count = 0;
    for (const auto& page : pages_) {
      if (page != nullptr) ++count;
    }
    return spare_ != nullptr ? count + 1 : count;
  }

 private:
  struct Page {
    std::array<Delivery*, kPageSize> messages{};
    std::size_t used = 0;
  };

  const std::unique_ptr<Page>& page_of(std::uint16_t id) const noexcept {
    return pages_[id / kPageSize];
  }
  std::unique_ptr<Page>& page_of(std::uint16_t id) noexcept { return pages_[id / kPageSize]; }

  std::array<std::unique_ptr<Page>, 65536 / kPageSize> pages_;
  std::unique_ptr<Page> spare_;
};

}  // namespace sluice::mqtt
