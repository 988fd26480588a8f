// Threads of other libraries in the same process keep enough stack.
#include <pthread.h>
#include <unistd.h>

#include <climits>

#include "catch.h"
#include "mqtt/transport/mosquitto_transport.h"

namespace {

/// Returns the result of read().
void* read_one(void* from) {
  char byte = 0;
  static ssize_t result;
  result = ::read(*static_cast<int*>(from), &byte, 1);
  return &result;
}

}  // namespace

// Thread-local variables of the program take space on each thread's stack.
TEST_CASE("a thread with the smallest stack starts and reads, while libmosquitto is in use",
          "[transport]") {
  const sluice::mqtt::MosquittoLibrary library;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  REQUIRE(::write(ends[1], "x", 1) == 1);
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, static_cast<std::size_t>(PTHREAD_STACK_MIN)) == 0);
  pthread_t thread{};
  REQUIRE(pthread_create(&thread, &attributes, read_one, &ends[0]) == 0);
  void* result = nullptr;
  REQUIRE(pthread_join(thread, &result) == 0);
  CHECK(*static_cast<ssize_t*>(result) == 1);
  pthread_attr_destroy(&attributes);
  ::close(ends[0]);
  ::close(ends[1]);
}
