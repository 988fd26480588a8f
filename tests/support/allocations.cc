#include "allocations.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>

namespace {

sluice::Allocations allocations;

void* note(std::size_t size) noexcept {
  ++allocations.count;
  allocations.largest = std::max(allocations.largest, size);
  return std::malloc(size);
}

void* take(std::size_t size) {
  if (void* memory = note(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

namespace sluice {

Allocations take_allocations() noexcept {
  return std::exchange(allocations, {});
}

}  // namespace sluice

void* operator new(std::size_t size) {
  return take(size);
}
void* operator new[](std::size_t size) {
  return take(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return note(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return note(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
