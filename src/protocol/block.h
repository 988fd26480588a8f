// Reference-counted memory for large payloads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace sluice::protocol {

/// One holder of a piece of memory, which is freed with its last holder. Only a pointer in size,
/// because each client has one. Bytes never written to usually have no page behind them. Not
/// thread-safe.
class Block {
 public:
  Block() = default;
  static Block make(std::size_t capacity) {
    Block block;
    void* const memory = ::operator new(sizeof(Header) + capacity);
    auto* const header = new (memory) Header{1, static_cast<std::uint32_t>(capacity), 0};
    block.bytes_ = reinterpret_cast<char*>(header + 1);
    return block;
  }
  Block(Block&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}
  Block& operator=(Block&& other) noexcept {
    Block(std::move(other)).swap(*this);
    return *this;
  }
  ~Block() {
    if (bytes_ != nullptr && --header().holders == 0) ::operator delete(&header());
  }
  /// One more holder of the same memory, which is read-only from then on.
  Block share() const noexcept {
    Block other;
    other.bytes_ = bytes_;
    if (bytes_ != nullptr) ++header().holders;
    return other;
  }

  explicit operator bool() const noexcept { return bytes_ != nullptr; }
  char* data() const noexcept { return bytes_; }
  std::size_t capacity() const noexcept { return bytes_ == nullptr ? 0 : header().capacity; }
  bool is_shared() const noexcept { return bytes_ != nullptr && header().holders > 1; }

  /// How many of the bytes were ever written to, as reported by touch().
  std::size_t touched() const noexcept { return bytes_ == nullptr ? 0 : header().touched; }
  void touch(std::size_t bytes) noexcept {
    if (bytes > touched()) header().touched = static_cast<std::uint32_t>(bytes);
  }

 private:
  /// Lies in front of the bytes and keeps them aligned.
  struct alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) Header {
    std::uint32_t holders;
    std::uint32_t capacity;
    std::uint32_t touched;
  };

  Header& header() const noexcept { return *(reinterpret_cast<Header*>(bytes_) - 1); }
  void swap(Block& other) noexcept { std::swap(bytes_, other.bytes_); }

  char* bytes_ = nullptr;
};

}  // namespace sluice::protocol
