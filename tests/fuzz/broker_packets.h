// The packets that the broker of the fuzzer sends, each in several forms, some of them faulty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sluice::fuzz {

std::string connack(bool is_v5, std::size_t form);
/// `kind`: 'a' PUBACK, 'r' PUBREC, 'l' PUBREL, 'c' PUBCOMP.
std::string ack(char kind, bool is_v5, std::uint16_t packet_id, std::size_t form);
std::string publish(bool is_v5, std::size_t qos, std::size_t packet_id);
std::string pingresp();
std::string disconnect(bool is_v5, std::size_t form);

}  // namespace sluice::fuzz
