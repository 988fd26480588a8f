// The packet identifiers of one connection: which are in use, and what each waits for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice::mqtt {

/// What a message waits for after it was handed over.
enum class Awaits : std::uint8_t {
  Nothing,  ///< the identifier is free
  Socket,   ///< QoS 0: the kernel has to take its last byte
  Puback,   ///< QoS 1
  Pubrec,   ///< QoS 2, first answer
  Pubcomp,  ///< QoS 2, second answer
  Report,   ///< it has its outcome, which is not reported yet
};

/// A state for each identifier, in pages allocated on first use. Identifiers are handed out in
/// turn, so a page serves 1,024 of them. One empty page is kept for reuse; others are freed.
class PacketStates {
 public:
  /// Takes the next free identifier, 1 to 65535. 0: all are in use.
  std::uint16_t take(Awaits first) noexcept;
  Awaits of(std::uint16_t id) const noexcept;
  /// How many identifiers are in use.
  std::size_t used() const noexcept { return used_; }
  /// `id` must be in use; Nothing frees it.
  void set(std::uint16_t id, Awaits next) noexcept;

 private:
  static constexpr std::size_t kPageSize = 1024;
  struct Page {
    std::array<Awaits, kPageSize> states{};
    std::size_t used = 0;
  };

  /// Does nothing for the page from which identifiers are handed out now.
  void keep_if_empty(std::size_t page) noexcept;
  bool is_free(std::size_t id) const noexcept;
  /// The next candidate: skips the rest of a page that is full.
  std::size_t step_from(std::size_t id) const noexcept;

  std::array<std::unique_ptr<Page>, 65536 / kPageSize> pages_;
  std::unique_ptr<Page> spare_;
  std::size_t next_ = 1;
  std::size_t current_ = 0;  // the page of the latest identifier
  std::size_t used_ = 0;
};

}  // namespace sluice::mqtt
