// The packet identifiers of one connection: which are in use, and what each of them waits for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice::mqtt {

/// What a message that was handed over waits for.
enum class Awaits : std::uint8_t {
  Nothing,  ///< the identifier is free
  Socket,   ///< QoS 0: that its last byte is taken
  Puback,   ///< QoS 1
  Pubrec,   ///< QoS 2, its first answer
  Pubcomp,  ///< QoS 2, its second one
  Report,   ///< it has its outcome, which the owner of the connection is not told yet
};

/// A state for each identifier, in pages made by use. Identifiers are handed out in turn, so that a
/// page serves 1,024 of them. A page that is left behind empty serves again; further ones are
/// freed.
class PacketStates {
 public:
  /// The next identifier that is free, from 1 to 65535; it is not any more. 0: all are in use.
  std::uint16_t take(Awaits first) noexcept;
  Awaits of(std::uint16_t id) const noexcept;
  /// How many identifiers are in use.
  std::size_t used() const noexcept { return used_; }
  /// Needs an identifier that is in use; Nothing frees it.
  void set(std::uint16_t id, Awaits next) noexcept;

 private:
  static constexpr std::size_t kPageSize = 1024;
  struct Page {
    std::array<Awaits, kPageSize> states{};
    std::size_t used = 0;
  };

  /// Unless it is the page that identifiers are handed out of now.
  void keep_if_empty(std::size_t page) noexcept;
  bool is_free(std::size_t id) const noexcept;
  /// Behind this one, and behind its page if nothing in that is free.
  std::size_t step_from(std::size_t id) const noexcept;

  std::array<std::unique_ptr<Page>, 65536 / kPageSize> pages_;
  std::unique_ptr<Page> spare_;
  std::size_t next_ = 1;
  std::size_t current_ = 0;  // the page of the latest one
  std::size_t used_ = 0;
};

}  // namespace sluice::mqtt
