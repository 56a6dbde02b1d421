// One line of a third-party adapter, understood (docs/third-party-adapters.md). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace gateway::adapters::thirdparty {

inline constexpr std::int64_t kVersion = 1;  // of the protocol

struct Request {
  enum class Type { hello, hl7, record, document };
  Type type = Type::hello;
  std::int64_t version = 0;  // hello
  std::string token;         // hello
  std::string id;            // the message's, by the program's count
  std::string bytes;         // what was handed over
  std::string document;      // record: what lies beside it; or empty
  std::string name;          // as a file's; or empty
  std::string at;            // when the record was made; or empty
};

struct Heard {
  std::string id;  // as far as it could be read
  core::Result<Request> request;
};

/// Code::invalid says what is wrong, for whoever writes the program; it shows none of the line.
Heard read_line(std::string_view line);

}  // namespace gateway::adapters::thirdparty
