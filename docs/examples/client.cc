// Sends a command to each of a hundred devices, many in flight, and says what became of them.
#include <sluice/client.h>

#include <cstdio>
#include <string>

int main() {
  sluice::Client client;
  if (!client.connect("127.0.0.1:9501")) {
    std::fprintf(stderr, "%s\n", client.error().c_str());
    return 1;
  }
  int to_repeat = 0;
  int unclear = 0;
  const auto take = [&](const sluice::PublishResult& result) {
    using sluice::Outcome;
    if (result.outcome == Outcome::NotPublished) ++to_repeat;  // harmless to send again
    if (result.outcome == Outcome::Unknown || result.outcome == Outcome::Partial) ++unclear;
    if (result.outcome == Outcome::Refused) std::fprintf(stderr, "%s\n", result.detail.c_str());
  };
  for (std::int64_t device = 1; device <= 100; ++device) {
    sluice::Message message;
    message.device_id = device;
    message.topic = "dev/" + std::to_string(device) + "/cmd";
    message.payload = "open";
    while (!client.submit(message)) {  // the window is full: make room
      if (const auto result = client.next_result()) take(*result);
    }
  }
  while (const auto result = client.next_result())
    take(*result);
  std::printf("%d to repeat, %d unclear\n", to_repeat, unclear);
  return to_repeat + unclear == 0 ? 0 : 1;
}
