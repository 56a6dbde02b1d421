#include "adapters/hl7/acknowledgment.h"

#include <algorithm>

#include "adapters/hl7/mllp_framer.h"
#include "core/ids.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;

bool is_wanted(std::string_view condition, bool is_success) {
  if (condition == "AL") return true;
  if (condition == "ER") return !is_success;
  if (condition == "SU") return is_success;
  return false;  // NE, or not said
}

char last_letter(Verdict verdict) {
  return verdict == Verdict::accepted ? 'A' : verdict == Verdict::in_error ? 'E' : 'R';
}

std::string answer(const Segment* header, std::string_view code, std::string_view why,
                   const core::Clock& clock) {
  static const Delimiters kUsual;
  const Delimiters& d = header == nullptr ? kUsual : *header->delimiters;
  const auto raw = [&](std::size_t number) {
    return header == nullptr ? std::string_view() : header->field(number).raw();
  };
  const char f = d.field;
  const std::string encoding{d.component, d.repetition, d.escape, d.subcomponent};
  const std::string event =
      header == nullptr ? std::string() : std::string(header->field(9).component(2).raw());
  std::string type = "ACK";
  if (!event.empty()) type += cat(d.component, event, d.component, "ACK");
  const std::string_view processing = raw(11).empty() ? "P" : raw(11);
  const std::string_view version = raw(12).empty() ? "2.5.1" : raw(12);
  std::string text = cat("MSH", f, encoding, f, raw(5), f, raw(6), f, raw(3), f, raw(4), f,
                         message_time(clock.wall()), f, f, type, f, new_control_id(clock), f,
                         processing, f, version, "\r", "MSA", f, code, f, raw(10));
  if (!why.empty()) text += cat(f, escape_text(why, d));
  text += '\r';
  if (!why.empty()) {
    text += cat("ERR", f, f, f, code.ends_with('R') ? "200" : "207", f, "E", f, f, f, f,
                escape_text(why, d), "\r");
  }
  return mllp_frame(text);
}

}  // namespace

std::string acknowledge(const Segment* header, Verdict verdict, std::string_view why,
                        const core::Clock& clock) {
  const char last = last_letter(verdict);
  const std::string accept_when = header == nullptr ? std::string() : header->field(15).first();
  const std::string application = header == nullptr ? std::string() : header->field(16).first();
  if (accept_when.empty() && application.empty()) return answer(header, cat('A', last), why, clock);
  std::string answers = accept(*header, verdict, why, clock);
  if (is_wanted(application, verdict == Verdict::accepted))
    answers += answer(header, cat('A', last), why, clock);
  return answers;
}

std::string accept(const Segment& header, Verdict verdict, std::string_view why,
                   const core::Clock& clock) {
  if (!is_wanted(header.field(15).first(), verdict == Verdict::accepted)) return {};
  return answer(&header, cat('C', last_letter(verdict)), why, clock);
}

std::string application_code(Verdict verdict) { return cat('A', last_letter(verdict)); }

/// A DTM in UTC.
std::string message_time(core::Wall now) {
  std::string digits = core::to_instant(now).substr(0, 19);
  std::erase_if(digits, [](char c) { return c < '0' || c > '9'; });
  return digits + "+0000";
}

/// MSH-10 holds 20 characters up to v2.6.
std::string new_control_id(const core::Clock& clock) {
  std::string id = core::new_uuid(clock);
  std::erase(id, '-');
  return id.substr(0, 20);
}

}  // namespace gateway::adapters::hl7
