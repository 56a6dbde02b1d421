// gzip (RFC 1952), for bodies that travel, and bare deflate (RFC 1951). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/result.h"

namespace gateway::core {

/// At zlib's quickest level: a small box answers many.
std::string gzip(std::string_view bytes);

/// Code::invalid: not gzip, or cut short; Code::refused: more than `size_max` bytes when unpacked.
Result<std::string> gunzip(std::string_view bytes, std::size_t size_max);
/// The same of bare deflate.
Result<std::string> inflate(std::string_view bytes, std::size_t size_max);

}  // namespace gateway::core
