#include "broker_packets.h"

#include <array>
#include <string_view>

namespace sluice::fuzz {
namespace {

using namespace std::string_view_literals;

/// What follows the flags of a CONNACK: the code, and the properties with their length.
constexpr std::array kConnacks{
    "\x00\x00"sv,
    "\x00\x03\x21\x00\x01"sv,                // Receive Maximum 1
    "\x00\x02\x24\x00"sv,                    // Maximum QoS 0
    "\x00\x05\x27\x00\x00\x00\x40"sv,        // Maximum Packet Size 64
    "\x00\x03\x13\x00\x01"sv,                // Server Keep Alive 1 s
    "\x00\x08\x13\xFF\xFF\x12\x00\x02id"sv,  // the longest, and an Assigned Client Identifier
    "\x87\x00"sv,                            // Not authorized
    "\x89\x06\x1F\x00\x03no\n"sv,            // Server busy, with a Reason String
    "\x84\x00"sv,                            // Unsupported Protocol Version
    "\x00\x0E\x26\x00\x01"
    "a\x00\x01"
    "b\x26\x00\x01"
    "a\x00\x01"
    "b"sv,  // User Properties
};
constexpr std::array kCodesV311{0, 0, 0, 0, 0, 0, 5, 3, 1, 2};

/// What follows the packet identifier of an acknowledgement.
constexpr std::array kAckTails{
    ""sv,  // the short form
    "\x00"sv,
    "\x10"sv,                        // No matching subscribers
    "\x87"sv,                        // Not authorized
    "\x97\x00"sv,                    // Quota exceeded
    "\x99\x07\x1F\x00\x04no\r\n"sv,  // with a Reason String
    "\x00\x07\x26\x00\x01"
    "a\x00\x01"
    "b"sv,                     // with a User Property
    "\x92"sv,                  // Packet Identifier not found
    "\x00\x03\x1F\x00\x00"sv,  // an empty Reason String
    "\x00\x01\x7F"sv,          // an unknown property
};

constexpr std::array kDisconnects{
    ""sv,         "\x00"sv,
    "\x8B"sv,     "\x8E\x00"sv,
    "\x95"sv,     "\x89\x04\x1C\x00\x01s"sv,
    "\x04\x00"sv, "\x81\x05\x1F\x00\x02no"sv,
};

template <std::size_t Size>
std::string_view pick(const std::array<std::string_view, Size>& forms, std::size_t form) {
  return forms[form % Size];
}

std::string packet(unsigned first, std::string_view body) {
  std::string bytes{static_cast<char>(first), static_cast<char>(body.size())};
  return bytes.append(body);
}

std::string number(std::uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xFF)};
}

unsigned first_byte_of(char kind) {
  constexpr unsigned kPuback = 0x40;
  constexpr unsigned kPubrec = 0x50;
  constexpr unsigned kPubrel = 0x62;
  constexpr unsigned kPubcomp = 0x70;
  if (kind == 'a') return kPuback;
  if (kind == 'r') return kPubrec;
  return kind == 'l' ? kPubrel : kPubcomp;
}

}  // namespace

/// One more form is that of MQTT 3.1.1, whatever the version.
std::string connack(bool is_v5, std::size_t form) {
  const std::string flags(1, '\0');
  const std::size_t wanted = form % (kConnacks.size() + 1);
  if (is_v5 && wanted < kConnacks.size())
    return packet(0x20, flags + std::string(kConnacks[wanted]));
  const int code = kCodesV311[wanted % kCodesV311.size()];
  return packet(0x20, flags + static_cast<char>(code));
}

std::string ack(char kind, bool is_v5, std::uint16_t packet_id, std::size_t form) {
  const std::string_view tail = is_v5 ? pick(kAckTails, form) : ""sv;
  return packet(first_byte_of(kind), number(packet_id).append(tail));
}

std::string publish(bool is_v5, std::size_t qos, std::size_t packet_id) {
  const auto level = static_cast<unsigned>(qos % 3);
  std::string body = number(1) + 't';
  if (level > 0) body += number(static_cast<std::uint16_t>(packet_id + 1));
  if (is_v5) body += '\0';
  return packet(0x30U | level << 1U, body + "payload");
}

std::string pingresp() {
  return packet(0xD0, {});
}

std::string disconnect(bool is_v5, std::size_t form) {
  return packet(0xE0, is_v5 ? pick(kDisconnects, form) : ""sv);
}

}  // namespace sluice::fuzz
