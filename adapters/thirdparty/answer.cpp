#include "adapters/thirdparty/answer.h"

#include "adapters/thirdparty/request.h"

namespace gateway::adapters::thirdparty {
namespace {

using core::Json;

/// Of a line whose id could not be read the answer has none.
Json about(std::string_view answer, const std::string& id) {
  Json line = Json::object({{"answer", answer}});
  if (!id.empty()) line.set("id", id);
  return line;
}

std::string as_line(const Json& line) { return line.dump() + '\n'; }

}  // namespace

std::string welcome(const std::string& device, std::size_t line_bytes_max) {
  Json line = about("welcome", "");
  line.set("version", kVersion);
  line.set("device", device);
  line.set("line_bytes_max", static_cast<std::uint64_t>(line_bytes_max));
  return as_line(line);
}

std::string accepted(const std::string& id, Json messages) {
  Json line = about("accepted", id);
  line.set("messages", std::move(messages));
  return as_line(line);
}

std::string refused(const std::string& id, std::string_view reason) {
  Json line = about("refused", id);
  line.set("reason", reason);
  return as_line(line);
}

std::string later(const std::string& id, std::string_view reason, core::Milliseconds retry_after) {
  Json line = about("later", id);
  line.set("reason", reason);
  line.set("retry_after_ms", static_cast<std::int64_t>(retry_after.count()));
  return as_line(line);
}

}  // namespace gateway::adapters::thirdparty
