// Mutates what a DICOM peer sends inside its PDUs (PS3.8 9.3) and refits their lengths: cut at
// random, hardly any input would come further than the first header.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace gateway::fuzz {

struct Pdu {
  char type = 0;
  std::string body;
};

inline std::size_t big_endian(std::string_view bytes) {
  std::size_t value = 0;
  for (const char byte : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

inline std::string big_endian_text(std::size_t value) {
  std::string text(4, '\0');
  for (std::size_t at = 0; at < 4; ++at) text[at] = static_cast<char>(value >> (24 - 8 * at));
  return text;
}

/// What is no whole PDU at the end is one of the length it has.
inline std::vector<Pdu> split_pdus(std::string_view bytes) {
  constexpr std::size_t kHead = 6;
  std::vector<Pdu> pdus;
  while (bytes.size() >= kHead) {
    const std::size_t length = std::min(big_endian(bytes.substr(2)), bytes.size() - kHead);
    pdus.push_back({bytes[0], std::string(bytes.substr(kHead, length))});
    bytes.remove_prefix(kHead + length);
  }
  return pdus;
}

inline std::string join_pdus(const std::vector<Pdu>& pdus) {
  std::string bytes;
  for (const Pdu& pdu : pdus) {
    bytes += pdu.type;
    bytes += '\0';
    bytes += big_endian_text(pdu.body.size());
    bytes += pdu.body;
  }
  return bytes;
}

inline void mutate_text(std::string& text, std::size_t grow_max) {
  std::vector<std::uint8_t> bytes(text.begin(), text.end());
  const std::size_t size = bytes.size();
  bytes.resize(size + grow_max + 1);
  bytes.resize(LLVMFuzzerMutate(bytes.data(), size, bytes.size()));
  text.assign(bytes.begin(), bytes.end());
}

/// The first presentation data value of a P-DATA-TF, its own head left as it is (PS3.8 9.3.5.1).
inline void mutate_value(std::string& body, std::size_t grow_max) {
  constexpr std::size_t kHead = 6;
  const std::size_t length = std::min(big_endian(body), body.size() - 4);
  if (length < 2) return mutate_text(body, grow_max);
  std::string value = body.substr(kHead, length - 2);
  mutate_text(value, grow_max);
  body = big_endian_text(value.size() + 2) + body.substr(4, 2) + value + body.substr(4 + length);
}

inline std::size_t mutate_pdus(std::uint8_t* data, std::size_t size, std::size_t size_max,
                               unsigned seed) {
  std::vector<Pdu> pdus = split_pdus({reinterpret_cast<const char*>(data), size});
  const auto choose = [&seed](std::size_t choices) {
    seed = seed * 1664525U + 1013904223U;
    return static_cast<std::size_t>(seed >> 8U) % choices;
  };
  constexpr std::size_t kBlind = 8;  // one in so many may do to the bytes what it likes
  if (pdus.empty() || choose(kBlind) == 0) return LLVMFuzzerMutate(data, size, size_max);
  const std::size_t room = size_max - std::min(size_max, size);
  const std::size_t at = choose(pdus.size());
  Pdu& pdu = pdus[at];
  constexpr char kDataTransfer = 4;
  constexpr std::size_t kValueHead = 6;
  switch (choose(kBlind)) {
    case 0:
      pdus.insert(pdus.begin() + static_cast<std::ptrdiff_t>(choose(pdus.size() + 1)), Pdu(pdu));
      break;
    case 1:
      pdus.erase(pdus.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 2:
      mutate_text(pdu.body, room);
      break;
    default:
      if (pdu.type == kDataTransfer && pdu.body.size() >= kValueHead) {
        mutate_value(pdu.body, room);
      } else {
        mutate_text(pdu.body, room);
      }
  }
  const std::string bytes = join_pdus(pdus).substr(0, size_max);
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}

}  // namespace gateway::fuzz
