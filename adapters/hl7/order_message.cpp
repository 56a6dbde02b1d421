#include "adapters/hl7/order_message.h"

#include <algorithm>
#include <array>

#include "adapters/hl7/character_set.h"
#include "adapters/hl7/message.h"
#include "adapters/hl7/order_fields.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;

constexpr std::size_t kFirst = 0;
constexpr std::string_view kOrc = "\rORC|";

const Json& filler(const Json& order) {
  static const Json none;
  for (const Json& one : order["identifier"].items())
    if (type_code(one) == "FILL") return one;
  return none;
}

std::string_view wanted_at(const Json& order) {
  const std::string_view at = order["occurrenceDateTime"].text();
  return at.empty() ? order["occurrencePeriod"]["start"].text() : at;
}

std::string request(OrderForm form, const Json& order) {
  const std::string placer = placer_number(order);
  const std::string fillers = ei(filler(order));
  const std::string start = dtm(wanted_at(order));
  const std::string_view priority = priority_of(order["priority"].text());
  const std::string by = xcn(order["requester"]);
  const bool is_orm = form == OrderForm::orm;
  // ORM's readers know TQ fields (ORC-7, OBR-27) better than segments.
  const std::string timing = is_orm ? cat("^^^", start, "^^", priority) : std::string();
  std::string text = cat("ORC||", placer, '|', fillers, '|', ei(order["requisition"]), "|||",
                         timing, "||", dtm(order["authoredOn"].text()), "|||", by, "\r");
  if (!is_orm) text += cat("TQ1|1||||||", start, "||", priority, "\r");
  std::string reasons;
  for (const Json& one : order["reasonCode"].items())
    reasons += cat(reasons.empty() ? "" : "~", cwe(one));
  text +=
      cat("OBR|1|", placer, '|', fillers, '|', cwe(order["code"]), '|', is_orm ? priority : "", '|',
          is_orm ? start : "", "||||||||||", by, "|||||||||||", timing, "||||", reasons, "\r");
  std::size_t number = 0;
  for (const Json& note : order["note"].items())
    text += cat("NTE|", ++number, "||", escaped(note["text"].text()), "\r");
  return text;
}

std::string spm(const Json& specimen, std::size_t number) {
  // EIP-1: the placer's id, which is the one on the tube.
  return cat("SPM|", number, '|', ei(specimen["identifier"][kFirst], '&'), "||",
             cwe(specimen["type"]), "|||||||||||||", collected_at(specimen), "\r");
}

/// Table 0008. Anything else may be anything, a name too: `code` goes into logs.
std::string acknowledgment_code(std::string code) {
  constexpr std::array<std::string_view, 6> kCodes{"AA", "AE", "AR", "CA", "CE", "CR"};
  const bool is_known = std::ranges::find(kCodes, code) != kCodes.end();
  return is_known ? std::move(code) : "what is no code";
}

/// UC, UX and their like: unable to (table 0119). The message was taken, the order in it was not.
bool refuses_order(std::string_view control) {
  constexpr std::array<std::string_view, 4> kRefusals{"UA", "UC", "UX", "DE"};
  return std::ranges::find(kRefusals, control) != kRefusals.end();
}

}  // namespace

const Json* placer_identifier(const Json& order, std::string_view except_of) {
  const Json* any = nullptr;
  for (const Json& one : order["identifier"].items()) {
    if (!except_of.empty() && one["system"].text() == except_of) continue;
    if (type_code(one) == "PLAC") return &one;
    if (any == nullptr && type_code(one) != "FILL") any = &one;
  }
  return any;
}

std::string placer_number(const Json& order) {
  const Json* const number = placer_identifier(order);
  return number == nullptr ? escaped(order["id"].text()) : ei(*number);
}

std::string order_segments(OrderForm form, const OrderFacts& facts) {
  std::string text =
      pid_segment(facts.patient, facts.patient_id_issuer) + request(form, facts.order);
  std::size_t number = 0;
  if (form == OrderForm::oml)
    for (const Json& specimen : facts.specimens) text += spm(specimen, ++number);
  return text;
}

std::string order_message(const OrderHeader& header, std::string_view control,
                          std::string_view segments) {
  const std::string now = core::to_instant(header.now).substr(0, 19);
  const bool is_orm = header.form == OrderForm::orm;
  std::string text = cat("MSH|^~\\&|clinic-gateway||", escaped(header.receiver), "||", dtm(now),
                         "+0000||", is_orm ? "ORM^O01^ORM_O01" : "OML^O21^OML_O21", '|',
                         header.control_id, "|P|2.5.1||||||UNICODE UTF-8\r", segments);
  text.insert(text.find(kOrc) + kOrc.size(), control);
  return text;
}

std::string segments_of(std::string_view message) {
  std::string text(message.substr(message.find('\r') + 1));
  const auto control = text.find(kOrc) + kOrc.size();
  return text.erase(control, text.find('|', control) - control);
}

std::optional<OrderAnswer> read_order_answer(std::string_view bytes, std::string_view control_id) {
  const auto message = Message::parse(decode_text(bytes, "").utf8);
  if (!message.ok()) return std::nullopt;
  const Segment* const msa = (*message)->find("MSA");
  if (msa == nullptr || msa->field(2).first() != control_id) return std::nullopt;
  OrderAnswer answer;
  answer.code = acknowledgment_code(msa->field(1).first());
  const Segment* const err = (*message)->find("ERR");
  answer.words = msa->field(3).text();
  if (answer.words.empty() && err != nullptr) answer.words = err->field(8).text();
  if (answer.code == "AA" || answer.code == "CA") answer.what = OrderAnswer::What::taken;
  if (answer.code == "AR" || answer.code == "CR") answer.what = OrderAnswer::What::refused;
  for (const Segment& segment : (*message)->segments()) {
    if (segment.name != "ORC" || !refuses_order(segment.field(1).first())) continue;
    answer.what = OrderAnswer::What::refused;
    answer.code += cat(", ORC-1 ", segment.field(1).first());
  }
  return answer;
}

}  // namespace gateway::adapters::hl7
