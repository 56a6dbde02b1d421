#include "core/result.h"

namespace gateway::core {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::invalid:
      return "invalid";
    case Code::not_found:
      return "not-found";
    case Code::exists:
      return "exists";
    case Code::locked:
      return "locked";
    case Code::no_space:
      return "no-space";
    case Code::busy:
      return "busy";
    case Code::corrupt:
      return "corrupt";
    case Code::io:
      return "io";
    case Code::unavailable:
      return "unavailable";
    case Code::lost_answer:
      return "lost-answer";
    case Code::untrusted:
      return "untrusted";
    case Code::refused:
      return "refused";
    case Code::cancelled:
      return "cancelled";
    case Code::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace gateway::core
