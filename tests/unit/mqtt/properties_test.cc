// A PUBLISH's properties in the library's form. The library finds a list's end by walking there,
// so this program counts the steps in front of it.
#include <dlfcn.h>
#include <mqtt_protocol.h>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "mqtt/transport/mosquitto_transport_properties.h"

namespace {

std::size_t steps = 0;

}  // namespace

extern "C" int mosquitto_property_add_string_pair(mosquitto_property** list, int id,
                                                  const char* name, const char* value) {
  using Add = int (*)(mosquitto_property**, int, const char*, const char*);
  static const auto add =
      reinterpret_cast<Add>(::dlsym(RTLD_NEXT, "mosquitto_property_add_string_pair"));
  for (const mosquitto_property* at = *list; at != nullptr; at = mosquitto_property_next(at))
    ++steps;
  return add(list, id, name, value);
}

namespace sluice::mqtt {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// The user properties of a list that begins with `others` other ones.
Pairs user_of(const mosquitto_property* list, std::size_t others) {
  for (; others > 0; --others)
    list = mosquitto_property_next(list);
  Pairs pairs;
  for (; list != nullptr; list = mosquitto_property_next(list)) {
    char* name = nullptr;
    char* value = nullptr;
    if (mosquitto_property_read_string_pair(list, MQTT_PROP_USER_PROPERTY, &name, &value, false) ==
        nullptr) {
      break;
    }
    pairs.emplace_back(name, value);
    std::free(name);
    std::free(value);
  }
  return pairs;
}

TEST_CASE("user properties keep their order, and each costs the library one step", "[transport]") {
  constexpr std::size_t kMany = 256;
  protocol::Properties properties;
  for (std::size_t i = 0; i < kMany; ++i)
    properties.user.emplace_back(std::to_string(i % 7), std::to_string(i));
  std::size_t others = 0;
  SECTION("alone") {}
  SECTION("behind other properties") {
    properties.content_type = "text/plain";
    properties.message_expiry_s = 7;
    others = 2;
  }
  steps = 0;
  PublishProperties published;
  published.fill(properties);
  CHECK(user_of(published.get(), others) == properties.user);
  CHECK(steps <= kMany);
}

}  // namespace
}  // namespace sluice::mqtt
