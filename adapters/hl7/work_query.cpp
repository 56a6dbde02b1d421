#include "adapters/hl7/work_query.h"

#include "adapters/hl7/mapping/datatypes.h"
#include "adapters/hl7/mllp_framer.h"
#include "core/net/http.h"
#include "core/text.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;

constexpr std::string_view kLaw = "QBP^Q11";
constexpr std::string_view kLda = "QBP^WOS";
constexpr std::string_view kContainer = "QPD^1^3";

WorkQuery refused(WorkQuery query, QueryFault fault) {
  query.fault = std::move(fault);
  return query;
}

/// What stands between two delimiters. An escape of the sender's means the sender's delimiter.
std::string usual_text(std::string_view raw, const Delimiters& sent) {
  constexpr std::string_view kNull = "\"\"";
  if (raw == kNull) return std::string(kNull);
  return escape_text(Piece(raw, &sent).text(), Delimiters());
}

/// The same field in the usual delimiters.
std::string usual(std::string_view raw, const Delimiters& sent) {
  const Delimiters usual;
  std::string text;
  if (sent == usual) {
    // A line break inside a field would end the segment.
    for (const char c : raw) text += c == '\r' || c == '\n' ? ' ' : c;
    return text;
  }
  const std::string cuts{sent.component, sent.repetition, sent.subcomponent};
  while (true) {
    const auto cut = raw.find_first_of(cuts);
    text += usual_text(raw.substr(0, cut), sent);
    if (cut == raw.npos) return text;
    text += raw[cut] == sent.component    ? usual.component
            : raw[cut] == sent.repetition ? usual.repetition
                                          : usual.subcomponent;
    raw.remove_prefix(cut + 1);
  }
}

/// From `first` to the segment's last, each behind its delimiter.
std::string fields_from(std::size_t first, const Segment& segment) {
  std::string text;
  for (std::size_t i = first; i < segment.fields.size(); ++i)
    text += cat('|', usual(segment.field(i).raw(), *segment.delimiters));
  return text;
}

std::string header_of(const Message& query, const core::Clock& clock) {
  const Segment& msh = query.header();
  const auto sent = [&](std::size_t number) {
    return usual(msh.field(number).raw(), query.delimiters());
  };
  const bool is_lda = query.type() == kLda;
  const std::string processing = sent(11).empty() ? "P" : sent(11);
  const std::string version = sent(12).empty() ? "2.5.1" : sent(12);
  std::string text =
      cat("MSH|^~\\&|", sent(5), '|', sent(6), '|', sent(3), '|', sent(4), '|',
          message_time(clock.wall()), "||", is_lda ? "RSP^WOS^RSP_K11" : "RSP^K11^RSP_K11", '|',
          new_control_id(clock), '|', processing, '|', version, "||||||UNICODE UTF-8");
  // The profile both speak by: LAB-27^IHE.
  if (!sent(21).empty()) text += cat("|||", sent(21));
  return text + '\r';
}

}  // namespace

bool is_work_query(std::string_view type) { return type == kLaw || type == kLda; }

WorkQuery read_work_query(const Message& message, std::string_view device) {
  WorkQuery query;
  query.is_law = message.type() == kLaw;
  const Segment& msh = message.header();
  query.asker = cat(usual(msh.field(3).raw(), message.delimiters()), '|',
                    usual(msh.field(4).raw(), message.delimiters()));
  const Segment* const qpd = message.find("QPD");
  if (qpd == nullptr) {
    return refused(std::move(query),
                   {Verdict::in_error, "the query has no QPD segment", "QPD^1", "100"});
  }
  const std::string name = qpd->field(1).first();
  query.is_all = name == "WOS_ALL";
  if (query.is_all) return query;
  if (name != "WOS") {
    return refused(std::move(query),
                   {Verdict::rejected, "of queries only WOS and WOS_ALL are answered (QPD-1)",
                    "QPD^1^1", "103"});
  }
  const Piece container = qpd->field(3);
  // EI knows no subcomponents: an ampersand is one of the number's.
  query.specimen = container.component(1).text();
  if (query.specimen.empty()) {
    return refused(std::move(query), {Verdict::in_error,
                                      "the query names no container (QPD-3); where a tube stands "
                                      "does not say whose it is",
                                      kContainer, "101"});
  }
  if (container.repetitions() > 1) {
    return refused(std::move(query),
                   {Verdict::in_error, "the query names several containers (QPD-3); ask for each",
                    kContainer});
  }
  // A name alone (EI.2) tells no issuer from another.
  if (container.component(3).has_value()) {
    query.specimen_issuer =
        authority_system(container.component(2), container.component(3), container.component(4),
                         cat("urn:clinic-gateway:device:", core::net::url_encode(device)));
  }
  return query;
}

std::string answer_work_query(const Message& query, const WorkAnswer& answer,
                              const core::Clock& clock) {
  const QueryFault& fault = answer.fault;
  // Whether it was taken, not whether there is an answer: CE and CR would have the device send the
  // query again and wait for no answer.
  std::string accepted =
      accept(query.header(), answer.is_stored ? Verdict::accepted : fault.verdict,
             answer.is_stored ? "" : fault.why, clock);
  if (!answer.is_stored && !accepted.empty()) return accepted;
  const bool is_good = fault.verdict == Verdict::accepted;
  const std::string code = application_code(fault.verdict);
  const std::string why = escape_text(fault.why, Delimiters());
  std::string text = cat(header_of(query, clock), "MSA|", code, '|',
                         usual(query.header().field(10).raw(), query.delimiters()));
  text += is_good ? "\r" : cat('|', why, "\r");
  if (!is_good) text += cat("ERR||", fault.place, '|', fault.code, "|E||||", why, "\r");
  const std::string_view status = answer.status.empty() ? std::string_view(code) : answer.status;
  const Segment* const qpd = query.find("QPD");
  const auto asked = [&](std::size_t number) {
    return qpd == nullptr ? std::string() : usual(qpd->field(number).raw(), *qpd->delimiters);
  };
  text += cat("QAK|", asked(2), '|', status, '|', asked(1), "\r");
  if (qpd != nullptr) text += cat("QPD", fields_from(1, *qpd), "\r");
  text += answer.orders;
  return accepted + mllp_frame(text);
}

}  // namespace gateway::adapters::hl7
